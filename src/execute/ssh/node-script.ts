/**
 * What a run is on its node: a few lines of plain sh, and a few files in a folder that is nobody else's.
 *
 * The user's login shell, whatever it is, only starts `sh` with one of the scripts below. It may print what it likes before:
 * our part of both streams begins behind a line with a token. For bourne shells, fish and csh to agree on what a quoted word
 * is, a script has neither a single quote nor a line's end, and each exclamation mark a blank behind it.
 *
 * Of a run R there are, in the folder:
 *
 * - `R.c`, lines that tell how it stands (control-lines.ts). Who makes it, owns the run: a second start of the same run, or
 *   a start that comes late when nobody believes in it any more, finds it there and does nothing;
 * - `R.o0`, `R.o1`, …: its output, 16 MB each, and `R.e0`, … its standard error where that is apart. Four of them may wait;
 *   then the job waits as well, as it would for a reader of its pipe. What was read is removed;
 * - `R.i`, its input, whole before it starts;
 * - `R.s`, where it is to be stopped: a job that is about to be executed is not.
 *
 * Shells differ: mksh has an alias named `r`, yash and ksh tell an end by signal N as 256+N or 384+N.
 *
 * Who tells us something may find nobody there to hear it: that must not end him by SIGPIPE, but it must end the job.
 *
 * The job has a session of its own, and a pipe for its output. Who reads the pipe is `dd`, into the files: the job neither
 * sees nor needs the connection, and goes on without it. What brings the files to us is `tail`, from wherever we were.
 */

/** Bytes of output in one file on the node, at most. */
const chunkBlocks = 1024;
const blockBytes = 16 * 1024;
export const chunkLimit = chunkBlocks * blockBytes;
/** … and in one that is full, at least: whoever fills it reads so many times, and each time a byte. */
export const fullChunkBytes = chunkBlocks;
/** So many files may be there besides the one that is written. */
const waitingChunks = 4;
/** What nobody has asked for so long is removed, unless who writes it is still there. */
const staleDays = 7;
/** By whom a run of another boot is written, nobody can see: nodes may share a home, and it may be alive on another one. */
const foreignDays = 90;

/** Which boot of the node this is, in `b`; a node without boot ids has always the same one. */
const boot = `b=; read -r b </proc/sys/kernel/random/boot_id; b=\${b:-none};`;

/** A run's output, or its standard error where that is apart. */
export type StreamName = "o" | "e";

/** Where in a run's output: how many files of it were had whole, and how many bytes of the next one. */
export interface Position {
  readonly chunk: number;
  readonly offset: number;
}

/** What starts a run. */
export interface StartScript {
  /** What the names of its files begin with: one for each attempt of a run. */
  readonly fileId: string;
  readonly token: string;
  /** How many bytes of input follow the header. */
  readonly inputBytes: number;
  readonly isStderrApart: boolean;
  /** The node's `setsid`; undefined where it has none. */
  readonly setsid: string | undefined;
  /** In order of preference. */
  readonly folders: readonly string[];
}

/** Anything else in a folder's name would have to be quoted in a way that all shells agree on. */
const plainFolder = /^\/[A-Za-z0-9_./@+:-]*$/;

/** True for a folder that the scripts can be told. */
export function isPlainFolder(folder: string): boolean {
  return plainFolder.test(folder);
}

/**
 * Which folders there are, what boot this is, and what the node has. Removes what was forgotten long ago: all of a run of which
 * neither script nor job is there (a job that says nothing for a week is no dead one), and what has no run any more.
 *
 * Where everybody may write, somebody may put a link there between two looks: that it is a folder and whose it is, one look must
 * tell. From then on it stays, for nobody else may remove it.
 */
export function helloCommand(token: string): string {
  return command(
    `
k=$1; exec 3>&2 2>/dev/null; echo "$k" >&3;
u=$(id -u); ${boot} echo "boot $b" >&3; echo "setsid $(command -v setsid)" >&3;
f() {
  [ -d "$1" ] || mkdir -p -m 700 "$1" || return 1;
  [ -d "$1" ] && [ -O "$1" ] && [ -w "$1" ] && \${2:-true} "$1" && chmod 700 "$1" || return 1;
  echo "folder $1" >&3;
  w "$1" >/dev/null 3>&- &
};
w() {
  find "$1" -type f -mtime +${staleDays} | while read -r n; do
    i=\${n%.*};
    case $n in *.c) a "$n" || rm -f "$i".*;; *) [ -e "$i.c" ] || rm -f "$n";; esac;
  done
};
a() {
  while read -r x y z; do
    case $x in b) [ "$y" = "$b" ] || { find "$1" -mtime -${foreignDays} | grep -q .; return; };; p) z="$y $z";; *) continue;; esac;
    s=; read -r s </proc/\${z%% *}/stat || continue;
    set -- \${z##*) }; [ $# -gt 19 ] || continue; shift 19; y=$1;
    set -- \${s##*) }; [ $# -gt 19 ] && shift 19 && [ "$y" = "$1" ] && return 0;
  done <"$1";
  return 1;
};
o() { set -- $(ls -dln "$1"); case $1 in d*) [ "$3" = "$u" ];; *) return 1;; esac; };
g() { f "$1" o; };
case $HOME in /?*) f "$HOME/.cache/rcron/runs";; *) false;; esac || g /var/tmp/rcron-$u || g /tmp/rcron-$u;
g /dev/shm/rcron-$u;
echo end >&3`,
    [token],
  );
}

/**
 * Starts a run: its header comes on standard input, as one line, and its input behind it. It is sent when the token has come, and
 * what can be done without it is done meanwhile.
 */
export function startCommand(script: StartScript): string {
  const { fileId, token, inputBytes, isStderrApart, setsid, folders } = script;
  // Whoever ends first ends the session: sshd gives nothing more to the others. So the script waits for who is told "ok".
  const pipeline = isStderrApart ? "{ l 4 | rd o; } 4>&1 | rd e" : "l 1 | rd o";
  return command(
    `
a=$1 k=$2 z=$3 w=$4; shift 4;
exec 3>&2 2>/dev/null 5<&0;
echo "$k" >&3; echo "$k";
t() { { echo "$*" >>$i.c; echo "$*" >&3; } 2>/dev/null; };
v() { t "q $*"; trap - EXIT; exit $1; };
l() {
  (
    exec <$f 5<&- 2>&$1 4>&-;
    trap "echo q \\$? >>$i.c" EXIT; trap "" PIPE;
    cd; unset OLDPWD;
    eval "$h";
    case $1 in */*) [ -e "$1" ] || v 127; [ -f "$1" ] && [ -x "$1" ] || v 126;; *) command -v "$1" >/dev/null || v 127;; esac;
    s=; read -r s </proc/self/stat; t "p $s";
    [ -e $i.s ] && v 143;
    trap - PIPE; exec $w "$@" 3>&-
  );
  e=$?; [ $e -gt 255 ] && e=$((e%128+128));
  case $e in 12[567]) q=; while read -r x y; do case $x in q) q=$y;; esac; done <$i.c; [ "$q" ] && { echo "q $q" >&3; return; };; esac;
  t "x $e";
};
rd() {
  exec >/dev/null 4>&-; LC_ALL=C; export LC_ALL; trap "" PIPE;
  v=$1 n=0 x=;
  while :; do
    m=$(dd bs=${blockBytes} count=${chunkBlocks} of=$i.$v$n 2>&1 3>&- 5<&-) || { x=cut; cat >/dev/null 3>&- 5<&-; };
    set -- \${m%% records in*}; shift $(($#-1)); p=$1; set -- \${m##*records out}; y=$1;
    [ "$y" -ge 0 ] || y=$(wc -c <$i.$v$n) || y=0;
    [ "$x" ] && break;
    [ $(($p)) -lt ${chunkBlocks} ] && break;
    [ -e $i.c ] || exec cat >/dev/null 3>&- 5<&-;
    true >$i.$v$((n+1)); t "c $v $n $(($y))";
    n=$((n+1));
    while [ -e $i.$v$((n-${waitingChunks})) ]; do sleep 1; done;
    [ -e $i.c ] || exec cat >/dev/null 3>&- 5<&-;
  done;
  [ -e $i.c ] && t "d $v $n $(($y)) $x";
};
${boot} s=; read -r s </proc/self/stat;
IFS= read -r h || exit 90;
o=;
for d; do
  i=$d/$a;
  set -C; if true >$i.c; then set +C; else set +C; [ -e $i.c ] && { echo taken >&3; exit 91; }; continue; fi;
  echo "b $b $s" >>$i.c && { read -r x y <$i.c; [ "$x" = b ] || { echo taken >&3; exit 91; }; echo "b $b $s" >&3 && { o=1; break; }; };
done;
[ "$o" ] || { echo nofolder >&3; exit 92; };
f=/dev/null;
if [ $z -gt 0 ]; then f=$i.i; head -c $z >$f; [ $(wc -c <$f) -eq $z ] || { t n input; exit 93; }; fi;
true >$i.o0;
${isStderrApart ? "true >$i.e0;" : ""}
${follower("$i.o0", "+1")} 5<&- &
${pipeline}; wait`,
    [fileId, token, String(inputBytes), setsid ?? "", ...folders],
  );
}

/** Brings one file of a run's output, from a byte on. */
export function followCommand(
  { fileId, token, folders }: Pick<StartScript, "fileId" | "token" | "folders">,
  stream: StreamName,
  { chunk, offset }: Position,
): string {
  return command(
    `
a=$1 k=$2 v=$3 n=$4 f=$5; shift 5;
exec 3>&2 2>/dev/null 5<&0;
echo "$k"; echo "$k" >&3;
for d; do i=$d/$a; [ -s $i.c ] && break; done;
[ -e $i.$v$n ] || { echo gone >&3; exit 94; };
p=$n; while [ $p -gt 0 ]; do p=$((p-1)); [ -e $i.$v$p ] && rm -f $i.$v$p; done;
${follower("$i.$v$n", "+$f")}`,
    [fileId, token, stream, String(chunk), String(offset + 1), ...folders],
  );
}

/**
 * Finds the files of a run; where there are none, makes sure that there never will be: a start that is still on its way finds it
 * taken. Who has made `R.c` and not written to it yet reads its first line when he has, as we do: it says who was first.
 */
const claimed = `
o=; for d; do i=$d/$a; [ -s $i.c ] && { o=1; break; }; done;
set -C;
[ "$o" ] || for d; do i=$d/$a; true >$i.c; [ -e $i.c ] && { echo void >>$i.c; break; }; done;
set +C;`;

/**
 * Tells how a run stands, and goes on to tell. Where nothing is known of it, from now on nothing can be: a start that is
 * still on its way will find the run taken.
 */
export function standCommand({
  fileId,
  token,
  folders,
}: Pick<StartScript, "fileId" | "token" | "folders">): string {
  return command(
    `
a=$1 k=$2; shift 2;
exec 3>&2 2>/dev/null;
echo "$k"; echo "$k" >&3;
${claimed}
${boot} echo "boot $b" >&3;
while read -r x y z; do
  case $x in b) p=\${z%% *};; p) p=$y;; *) continue;; esac;
  s=; read -r s </proc/$p/stat && echo "alive $x $s" >&3;
done <$i.c;
z=$(($(wc -c <$i.c))); head -c $z $i.c >&3; echo live >&3;
tail -c +$((z+1)) -f $i.c </dev/null >&3 3>&- & t=$! ; read -r x; kill $t;
case $x in ok) rm -f $i.*;; esac`,
    [fileId, token, ...folders],
  );
}

/** Removes all files of a run. */
export function forgetCommand(fileId: string, folders: readonly string[]): string {
  return command('i=$1; shift; for d; do rm -f "$d"/$i.*; done', [fileId, ...folders]);
}

/** What ends a run. */
export interface StopScript {
  readonly fileId: string;
  /** As its processes have it in their environment. */
  readonly runId: string;
  readonly token: string;
  /** Tenths of a second from TERM to KILL. */
  readonly graceTenths: number;
  readonly folders: readonly string[];
}

/**
 * Ends a run with all that it has started: TERM, and KILL after a time, to each once: first to its process group, in one step,
 * so that a tree that grows can't outrun it, then to whoever is in no group of it. Tells how many are left. Goes on without
 * the connection.
 */
export function stopCommand({ fileId, runId, token, graceTenths, folders }: StopScript): string {
  return command(
    `
a=$1 r=$2 k=$3 g=$4; shift 4;
trap "" PIPE HUP; exec 3>&2 2>/dev/null; echo "$k" >&3;
${claimed}
true >$i.s;
c=; ${boot}
l() {
  while read -r x y z; do
    case $x in
    b) [ "$y" = "$b" ] || { echo "left 0" >&3; exit 0; };;
    p)
      set -- \${z##*) }; [ $# -gt 19 ] && shift 19; a=$1;
      s=; read -r s </proc/$y/stat; set -- \${s##*) }; [ $# -gt 19 ] && shift 19 && [ "$a" = "$1" ] && c=$y;;
    esac;
  done <$i.c;
};
m() {
  for f in $(grep -ls "RCRON_[A-Z]*_ID=$r" /proc/[0-9]*/environ); do f=\${f#/proc/}; echo \${f%%/*}; done;
  [ "$c" ] || return;
  for f in /proc/[0-9]*/stat; do
    s=; read -r s <$f; p=\${s%% *}; set -- \${s##*) };
    case $1 in Z|X) continue;; esac;
    { [ "$4" = $c ] || [ $p = $c ]; } && echo $p;
  done
};
h() { [ "$w" ] || return; s=; read -r s </proc/$1/stat; set -- \${s##*) }; [ "$3" = $w ]; };
e() {
  n=" "; j=0; w=; l;
  [ "$c" ] && [ -d /proc/$c ] && kill -$1 -$c && kill -CONT -$c && w=$c;
  while :; do
    q=$(m); [ "$q" ] || return 0;
    for p in $q; do case $n in *" $p "*) ;; *) n="$n$p "; h $p || { kill -$1 $p; kill -CONT $p; };; esac; done;
    w=;
    [ $j -ge $2 ] && return 1;
    if sleep 0.1; then j=$((j+1)); else sleep 1; j=$((j+10)); fi;
  done
};
e TERM $g || e KILL 20 || { set -- $q; echo "left $#" >&3; exit 0; };
echo "left 0" >&3`,
    [fileId, runId, token, String(graceTenths), ...folders],
  );
}

/**
 * Brings a file until it is told otherwise, or nobody is there any more to tell: `next` when all of it has been had, `ok`
 * when nothing of the run is wanted any more.
 */
function follower(file: string, from: string): string {
  return `{ tail -c ${from} -f ${file} </dev/null 3>&- 5<&- & t=$! ; while read -r x; do case $x in next) kill $t; rm -f ${file};; ok) kill $t; rm -f $i.*; break;; esac; done; kill $t; } <&5 3>&-`;
}

/** For the login shell: a script for sh, and its arguments. */
function command(script: string, words: readonly string[]): string {
  const line = script
    .trim()
    .split("\n")
    .map((part) => part.trim())
    .join(" ");
  return `exec sh -c '${line}' rcron ${words.map((word) => (word === "" ? '""' : word)).join(" ")}`;
}

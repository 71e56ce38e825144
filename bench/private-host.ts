/**
 * A mount namespace for the measurement: an /etc/rcron, a /run, a /var/lib/rcron and a /dev/log of its own, and a log
 * daemon behind it, so that rcron is measured with its default paths, each line is really delivered and each record really
 * written. Nothing is left of it at the end.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Inside: the file that the log daemon writes. */
export const logFile = "/run/bench/log";
/** Inside: the folder of the record. */
export const historyFolder = "/var/lib/rcron";
/** Inside: a tmpfs with room for this many MB. */
export const scratchFolder = "/run/bench/scratch";
const scratchMB = 1500;

const rsyslogConf = `module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
action(type="omfile" file="${logFile}")`;

/** In place of rsyslogd: takes each datagram, and writes it on a line of its own. Perl, because every Debian has it. */
const reader = `socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un("/dev/log")) or die $!;
open(F, ">>", "${logFile}"); while (defined recv(S, $line, 65536, 0)) { syswrite F, "$line\\n" }`;

const prelude = `
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/bench /run/bench/dev ${scratchFolder}
mount -t tmpfs -o mode=700,size=${scratchMB}m tmpfs ${scratchFolder}
own() { # FOLDER NAME MODE: a tmpfs there; a mount point that is missing is made in an overlay, not on the disk
  if [ ! -d "$1/$2" ]; then
    mkdir -p "/run/bench/overlay$1/upper" "/run/bench/overlay$1/work"
    mount -t overlay -o "lowerdir=$1,upperdir=/run/bench/overlay$1/upper,workdir=/run/bench/overlay$1/work" overlay "$1"
    mkdir "$1/$2"
  fi
  mount -t tmpfs -o "mode=$3" tmpfs "$1/$2"
}
own /etc rcron 755
own /var/lib rcron 700
mount -t tmpfs -o mode=755 tmpfs /run/bench/dev
for device in null zero full random urandom tty; do
  : >/run/bench/dev/$device
  mount --bind /dev/$device /run/bench/dev/$device
done
ln -s /proc/self/fd /run/bench/dev/fd
mount --rbind /run/bench/dev /dev
`;

const daemons = {
  rsyslogd: `printf '%s\\n' "$rsyslogConf" >/run/bench/rsyslog.conf
rsyslogd -n -f /run/bench/rsyslog.conf -i /run/bench/rsyslog.pid >/dev/null 2>&1 </dev/null &`,
  reader: `perl -MSocket -e "$reader" >/dev/null 2>&1 </dev/null &`,
};

const start = `
tries=0
until [ -S /dev/log ]; do tries=$((tries + 1)); [ $tries -lt 200 ] || { echo "no log daemon" >&2; exit 1; }; sleep 0.02; done
exec "$@"
`;

export interface Host {
  /** In words, for the report. */
  readonly description: string;
  readonly isPrivate: boolean;
  /** What stands before a command that shall run there. */
  readonly prefix: readonly string[];
}

/** A private host if this machine allows one, else the machine as it is. */
export function findHost(): Host {
  const namespaces = [
    "unshare",
    ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
    ..."-m -p -f --kill-child=KILL --mount-proc".split(" "),
  ];
  const hasRsyslogd = ["/usr/sbin/rsyslogd", "/sbin/rsyslogd"].some((path) => existsSync(path));
  for (const daemon of hasRsyslogd ? (["rsyslogd", "reader"] as const) : (["reader"] as const)) {
    const environment = ["env", `rsyslogConf=${rsyslogConf}`, `reader=${reader}`];
    const script = prelude + daemons[daemon] + start;
    const prefix = [...environment, ...namespaces, "sh", "-euc", script, "sh"];
    const trial = Bun.spawnSync([...prefix, "true"], { timeout: 20_000 });
    if (trial.exitCode === 0) {
      const name = daemon === "rsyslogd" ? "rsyslogd" : "a small reader (rsyslogd is not installed)";
      const description = `/etc/rcron, /run, /var/lib/rcron and /dev/log are private; behind /dev/log: ${name}`;
      return { description, isPrivate: true, prefix };
    }
  }
  const log = existsSync("/dev/log") ? "this machine's own" : "none, so no line is delivered";
  return {
    description: `no private mounts (neither root nor user namespaces): every run uses --conf; /dev/log: ${log}`,
    isPrivate: false,
    prefix: [],
  };
}

/** The project, as an absolute path. */
export const project = join(import.meta.dir, "..");

/** Builds a program as rcron is built: by the project's own build script, with its flags and its patches. */
export function build(entry: string, outdir: string): void {
  const words = [process.execPath, "bin/build.ts", "--entry", join(project, entry), "--outdir", outdir];
  const { exitCode } = Bun.spawnSync(words, {
    cwd: project,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 300_000,
  });
  if (exitCode !== 0) throw new Error(`the build of ${entry} failed`);
}

/**
 * Runs a command on the host, with this program's standard output and error.
 * @param stop ends it, and all that is on a private host
 * @returns its exit status
 */
export async function runOn(host: Host, words: readonly string[], stop: AbortSignal): Promise<number> {
  // KILL, because unshare itself ignores the milder signals; what is in its namespace ends with it.
  const child = Bun.spawn([...host.prefix, ...words], {
    stdio: ["ignore", "inherit", "inherit"],
    signal: stop,
    killSignal: "SIGKILL",
  });
  return await child.exited;
}

/** Aborted by the signals that end a program; who heeds it can still remove its files. */
export function stoppedBySignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  return stop.signal;
}

/** @throws for an option that is no number from 1 to 9999 */
export function requireNumber(name: string, value: string): void {
  if (!/^[1-9]\d{0,3}$/.test(value)) {
    throw new Error(`--${name} must be a number from 1 to 9999: got "${value}"`);
  }
}

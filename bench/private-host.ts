/**
 * A mount namespace for the measurement: an /etc/rcron, a /run and a /dev/log of its own, and a log daemon behind it, so
 * that rcron is measured with its default paths and each line is really delivered. Nothing is left of it at the end.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Inside: the file that the log daemon writes. */
export const logFile = "/run/bench/log";

const rsyslogConf = `module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
action(type="omfile" file="${logFile}")`;

/** In place of rsyslogd: takes each datagram, and writes it on a line of its own. Perl, because every Debian has it. */
const reader = `socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un("/dev/log")) or die $!;
open(F, ">>", "${logFile}"); while (defined recv(S, $line, 65536, 0)) { syswrite F, "$line\\n" }`;

const prelude = `
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/bench /run/bench/dev /run/bench/etc /run/bench/work
if [ ! -d /etc/rcron ]; then
  mount -t overlay -o lowerdir=/etc,upperdir=/run/bench/etc,workdir=/run/bench/work overlay /etc
  mkdir /etc/rcron
fi
mount -t tmpfs -o mode=755 tmpfs /etc/rcron
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
      const description = `/etc/rcron, /run and /dev/log are private; behind /dev/log: ${name}`;
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

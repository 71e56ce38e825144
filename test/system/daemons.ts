/**
 * The real daemons of a Debian machine around a crontab line, on the private host: `rsyslogd` on /dev/log, `cron` with
 * its clock sped up, and `dma` as the mail system that delivers into /var/mail.
 *
 * A scene is one shell script on that host. What it leaves (log, mailboxes, the files of /run/out) is read back as
 * values, so that each claim can be a test of its own over one run.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onPrivateHost } from "../support/private-host.ts";

/** What speeds up cron's clock; test/support/debian.ts knows its package. */
const fasterClock = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/** What `play` and `cronRuns` need of this machine, for describeOnPrivateHost. */
export const logNeeds = ["dist/rcron", "rsyslogd", "logger"] as const;
export const cronNeeds = [...logNeeds, "cron", "dma", fasterClock] as const;

/** A line as rsyslogd understood it. */
export interface LogLine {
  readonly facility: string;
  readonly severity: string;
  readonly tag: string;
  readonly pid: string;
  /** The datagram, with control characters as `#ooo`. */
  readonly raw: string;
  /** What follows `tag[pid]: ` in it. */
  readonly message: string;
}

export interface Mail {
  readonly mailbox: string;
  readonly subject: string;
  readonly headers: readonly string[];
  readonly body: string;
}

export interface Scene {
  readonly log: readonly LogLine[];
  readonly mails: readonly Mail[];
  /** What the scene left in /run/out, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Plays a scene and reads what it left.
 *
 * The script has, besides what onPrivateHost offers: `start_rsyslog`, `stop_rsyslog`; `job NAME`, which makes an
 * executable in /run/jobs of its standard input; `conf LINE…` and `state WORD`, for rcron; `runs NAME` and
 * `none_runs NAME`, about the processes of a name; `now_ms`; `patiently`, a longer `until_ok`.
 * @throws {Error} where the script fails, with what it said
 */
export async function play(script: string, timeoutMs = 30_000): Promise<Scene> {
  const out = mkdtempSync(join(tmpdir(), "rcron-scene-"));
  try {
    const ended = await onPrivateHost(`out='${out}'\n${stage}\n${script}\n${curtain}`, timeoutMs);
    if (ended.exitCode !== 0)
      throw new Error(`the scene failed (${ended.exitCode}):\n${ended.stdout}${ended.stderr}`);
    return {
      log: readLog(join(out, "log")),
      mails: readMails(join(out, "mail")),
      files: readFiles(join(out, "files")),
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

export interface CronRuns {
  /** Lines that stand before the others: `NAME=value`. */
  readonly environment?: readonly string[];
  /** Crontab lines without their time; each runs exactly once. A line `NAME=value` holds for those below it. */
  readonly lines: readonly string[];
  /** Whose crontab it is. */
  readonly user?: string;
  /** What is done while the jobs run. */
  readonly meanwhile?: string;
}

/**
 * A piece of a scene: installs a crontab through crontab(1), runs cron until every line has run once and its mail is
 * delivered, and ends it. rsyslogd must run.
 *
 * cron's own clock starts shortly before a minute and goes sixty times too fast; its jobs have the real clock.
 */
export function cronRuns({ environment = [], lines, user = "root", meanwhile = "" }: CronRuns): string {
  const isAssignment = (line: string) => /^[A-Z]+=/.test(line);
  const table = [...environment, ...lines.map((line) => (isAssignment(line) ? line : `1 0 1 1 * ${line}`))];
  const count = lines.filter((line) => !isAssignment(line)).length;
  return `
crontab -u ${user} - <<'END-OF-CRONTAB'
${table.join("\n")}
END-OF-CRONTAB
before=$(ends)
LD_PRELOAD=${fasterClock} FAKETIME='@2031-01-01 00:00:15 x60' cron -f -L 15 &
cron=$!
${meanwhile}
all_ended() { [ "$(ends)" -ge $((before + ${count})) ]; }
patiently all_ended
mail_is_delivered() { [ "$(runs dma)" = 0 ] && [ -z "$(find /var/spool/dma -name '[MQ]*')" ]; }
patiently mail_is_delivered
kill $cron
wait $cron || :
crontab -u ${user} -r
`;
}

/** The lines that a program of this name logged; `dur=` is 0 in all that took less than 10 s, however slow the machine. */
export function linesOf(scene: Scene, tag: string): LogLine[] {
  return scene.log
    .filter((line) => line.tag === tag)
    .map((line) => ({ ...line, message: shortIsNothing(line.message), raw: shortIsNothing(line.raw) }));
}

/** A log line with `dur=0` for every duration below 10 s. */
export function shortIsNothing(line: string): string {
  return line.replace(/ dur=\d /, " dur=0 ");
}

/** The mails about a crontab line, cron's note on its failure aside. */
export function mailsAbout(scene: Scene, command: string): Mail[] {
  return scene.mails.filter(({ subject }) => subject.replace(/ \(failed\)$/, "").endsWith(`> ${command}`));
}

/** The one mail about a crontab line. @throws {Error} where there is none, or more */
export function mailAbout(scene: Scene, command: string): Mail {
  const [mail, ...more] = mailsAbout(scene, command);
  const subjects = scene.mails.map(({ subject }) => subject).join("\n");
  if (mail === undefined || more.length > 0)
    throw new Error(`not one mail about "${command}" among\n${subjects}`);
  return mail;
}

/** The exit statuses other than 0 that cron told in its log, by command; its releases word it differently. */
export function failuresByCommand(scene: Scene): Record<string, number> {
  const commands = new Map<string, string>();
  const failures: Record<string, number> = {};
  for (const { message } of linesOf(scene, "CRON")) {
    const [, pid, command] = /^\(\S+\) CMD \(\[(\d+)\] (.*)\)$/.exec(message) ?? [];
    if (pid !== undefined && command !== undefined) commands.set(pid, command);
    const older = /grandchild #(\d+) failed with exit status (\d+)/.exec(message);
    if (older) failures[commands.get(older[1] ?? "") ?? message] = Number(older[2]);
    const newer = /FAILED \(exit status (\d+)\) \(\[\d+\] (.*)\)$/.exec(message);
    if (newer) failures[newer[2] ?? message] = Number(newer[1]);
  }
  return failures;
}

const stage = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TZ=UTC
unset LD_PRELOAD FAKETIME
mount -t tmpfs -o mode=2775,gid=mail tmpfs /var/spool/dma 2>/dev/null || :
rm -rf /etc/cron.d /etc/cron.allow /etc/cron.deny
mkdir /etc/cron.d /run/jobs /run/out /etc/rcron
chmod 1777 /run/out
: >/etc/crontab
[ ! -d /etc/dma ] || echo 'MAILNAME host.example' >/etc/dma/dma.conf
cat >/run/rsyslog.conf <<'END'
module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
template(name="parts" type="string" string="%syslogfacility-text%|%syslogseverity-text%|%programname%|%procid%|%rawmsg%\\n")
*.* action(type="omfile" file="/var/log/all" template="parts")
END
probes=0
start_rsyslog() { rsyslogd -n -f /run/rsyslog.conf -i /run/rsyslogd.pid & rsyslog=$!; probes=$((probes + 1)); until_ok probe_arrives; }
probe_arrives() { timeout 1 logger -t probe "number $probes" 2>/dev/null; sleep 0.02; grep -q "probe: number $probes$" /var/log/all 2>/dev/null; }
stop_rsyslog() { kill -CONT $rsyslog; kill $rsyslog; wait $rsyslog || :; rsyslog=; }
job() { cat >/run/jobs/$1; chmod 755 /run/jobs/$1; }
conf() { printf '%s\\n' "$@" >/etc/rcron/rcron.conf; }
state() { echo "$1" >/run/rcron.state; }
runs() { count=0; for name in /proc/[0-9]*/comm; do ! says $name "$1" || count=$((count + 1)); done; echo $count; }
patiently() { until_ok "$@" || until_ok "$@" || until_ok "$@"; } # half a minute, for what a slow machine makes slower
none_runs() { [ "$(runs "$1")" = 0 ]; }
ends() { grep -c '|CRON|.*) END (' /var/log/all || :; }
now_ms() { date +%s%3N; }
`;

const curtain = `
[ -z "\${rsyslog:-}" ] || stop_rsyslog
mkdir "$out/files" "$out/mail"
[ ! -e /var/log/all ] || cp /var/log/all "$out/log"
cp -r /var/mail/. "$out/mail/"
cp -r /run/out/. "$out/files/"
`;

function readLog(path: string): LogLine[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [facility = "", severity = "", tag = "", pid = "", ...rest] = line.split("|");
      const raw = rest.join("|");
      return { facility, severity, tag, pid, raw, message: raw.replace(/^[^[:]*:\d\d:\d\d [^:]*: /, "") };
    });
}

function readFiles(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "latin1")]),
  );
}

function readMails(folder: string): Mail[] {
  return readdirSync(folder).flatMap((mailbox) =>
    readFileSync(join(folder, mailbox), "utf8")
      .split(/(?:^|\n)From .*\n/m)
      .filter((text) => text !== "")
      .map((text) => {
        const end = text.indexOf("\n\n");
        const headers = text.slice(0, end).replace(/\n\s+/g, " ").split("\n");
        const subject =
          headers.find((header) => header.startsWith("Subject: "))?.slice("Subject: ".length) ?? "";
        return { mailbox, subject, headers, body: text.slice(end + 2) };
      }),
  );
}

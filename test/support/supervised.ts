/**
 * Crontab lines that cron runs minute after minute on the private host, and the three accounts that are left of it: cron's
 * own log, the lines of `rcron` in syslog, and the record as `rcronctl` tells it.
 *
 * The crontab's shell is bash, which becomes its one command: so the pid that cron logs is that of `rcron`.
 */

import { linesOf, type Scene } from "../system/daemons.ts";

/** What a scene calls first: the log, an active machine, the extended lines, and `rcronctl` by its name. */
export const supervisedStage = `
start_rsyslog
ln -s rcron /usr/bin/rcronctl
conf 'cluster_name = blue' 'log_format = extended'
state active
PATH=/run/jobs:$PATH
record=/var/lib/rcron
journal() { cat $record/journal* 2>/dev/null; }
has_started() { journal | grep -q '"kind":"start"'; }
logged() { grep -q -- "$1" /var/log/all; }
pids_of() { for comm in /proc/[0-9]*/comm; do ! says $comm "$1" || basename "\${comm%/comm}"; done; }
ends_with() { status=0; "$@" || status=$?; echo $status; }
`;

/** The end of a scene: the record, as `runs` and `jobs` tell it. */
export const tellRecord = `
rcronctl runs --all --limit 100000 --json >/run/out/runs.json
rcronctl jobs --json >/run/out/jobs.json
`;

/** What {@link cronMinutes} is told. */
export interface CronMinutes {
  /** Each runs once in each minute. */
  readonly lines: readonly string[];
  /** cron is ended when so many minutes have been, and what is done meanwhile has ended. */
  readonly minutes: number;
  /** How much faster than the real clock cron's is; its jobs have the real one. */
  readonly speed?: number;
  /** Shell lines that are run while cron does. */
  readonly meanwhile?: string;
}

/** A piece of a scene: real cron for some of its minutes, and then the wait for its jobs and their mails. */
export function cronMinutes({ lines, minutes, speed = 60, meanwhile = "" }: CronMinutes): string {
  return `
crontab -u root - <<'END-OF-CRONTAB'
SHELL=/bin/bash
PATH=/run/jobs:/usr/bin:/bin
MAILTO=root
${lines.map((line) => `* * * * * ${line}`).join("\n")}
END-OF-CRONTAB
ticks() { grep -c '|CRON|.*) CMD (' /var/log/all || :; }
LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME='@2031-01-01 00:00:15 x${speed}' cron -f -L 15 &
cron=$!
${meanwhile}
until [ "$(ticks)" -ge ${lines.length * minutes} ]; do sleep 0.05; done
kill $cron
wait $cron || :
until none_runs cron && none_runs dma && [ -z "$(find /var/spool/dma -name '[MQ]*')" ]; do sleep 0.05; done
crontab -u root -r
`;
}

/** One start by cron. */
export interface Tick {
  readonly command: string;
  readonly pid: string;
  /** What rcron logged, and no other fields of the line. */
  readonly said: readonly string[];
}

/** What cron has started, each with the lines that it left. */
export function ticksOf(scene: Scene): Tick[] {
  const said = Map.groupBy(linesOf(scene, "rcron"), ({ pid }) => pid);
  return linesOf(scene, "CRON").flatMap(({ message }) => {
    const [, pid, command] = /^\(\S+\) CMD \(\[(\d+)\] (.*)\)$/.exec(message) ?? [];
    if (pid === undefined || command === undefined) return [];
    return [{ command, pid, said: (said.get(pid) ?? []).map((line) => line.message) }];
  });
}

/** A run as `rcronctl runs --json` has it, as far as these tests look at it. */
export interface ToldRun {
  readonly run: string;
  readonly job: string;
  readonly state: string;
  readonly why: string | null;
  readonly cause: string | null;
  readonly tick: string;
  readonly at: string;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
  readonly exit: number | null;
  readonly signal: number | null;
  readonly attempts: number | null;
  readonly pid: number | null;
  readonly sentence: string | null;
  readonly detached: boolean;
  readonly survivors: number;
}

/** A job as `rcronctl jobs --json` has it. */
export interface ToldJob {
  readonly job: string;
  readonly state: string;
  readonly lastRun: string | null;
  readonly lastSuccessAt: string | null;
  readonly failureStreak: number;
  readonly running: number;
  readonly totals: readonly { readonly state: string; readonly why: string | null; readonly count: number }[];
}

/** A file of /run/out that holds JSON. @throws {Error} where the scene left no such file */
export function jsonOf<Value>(scene: Scene, name: string): Value {
  const text = scene.files[name];
  if (text === undefined) throw new Error(`the scene left no ${name}`);
  return JSON.parse(text) as Value; // what rcronctl printed, and the test's claims are about that
}

export const runsOf = (scene: Scene) => jsonOf<ToldRun[]>(scene, "runs.json");
export const jobsOf = (scene: Scene) => jsonOf<ToldJob[]>(scene, "jobs.json");

/** The value of `key=` in a line of the log. */
export function valueIn(line: string, key: string): string | undefined {
  return new RegExp(` ${key}=(\\S+)`).exec(line)?.[1];
}

/** How often each text occurs. */
export function counted(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

/** What rcron warned about in the log. */
export function warningsOf(scene: Scene): string[] {
  return linesOf(scene, "rcron")
    .filter(({ severity }) => severity === "warning")
    .map(({ message }) => message);
}

/**
 * rcrond beside the real Debian cron: a whole day with the same crontab and the same clock, and the same runs.
 *
 * Both take the time from one file (libfaketime; the built program asks libc for it, as cron does), which clock-driver.ts puts on from
 * minute to minute. Timers are not sped up by that, so the driver gives both the reason to look: cron a signal that
 * ends its sleep, rcrond a reload. That its own timers wake it in time is shown by all other tests of this folder.
 *
 * Each run writes down what the clock shows then, and what it was given: environment and standard input.
 */
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeOnPrivateHost, onPrivateHost } from "../../support/private-host.ts";
import { temporaryFolder } from "../../support/program.ts";
import { clockLibrary, onOneProcessor } from "./scheduler.ts";

const minuteS = 60;

/** When the day's jobs are due: fixed times first, then what follows the wall clock. */
const lines = [
  "30 2 * * *", // shown twice, run once
  "0,30 1-3 * * *",
  "0-59/20 2 * * *",
  "15 1,2,3 * * sun",
  "10-20/5 1-2 * oct *",
  "45 0-23/3 * * *",
  "7 2 1-7 * 1",
  "7 3 25 10 mon",
  "20 4 */2 * 0",
  "59 23 * * *",
  "0 0 * * *",
  "@daily",
  "@midnight",
  "@weekly",
  "@hourly",
  "*/15 * * * *",
  "*/15 2 * * *",
  "*/7 2,14 * * *",
  "0 * * * *",
  "5 */2 * * *",
  "30 8-17/2 * jan-dec mon-fri,sun",
];

/** A crontab as it stands in /etc/cron.d; jobs write to the file `NAME-runs` of whoever runs them. */
function crontab(folder: string, name: string): string {
  const out = `${folder}/${name}-runs`;
  const now = `read now < ${folder}/clock`;
  return [
    "# the day's jobs",
    'MAILTO=""',
    "GREETING = 'hello there'",
    ...lines.map((line, at) => `${line} root ${now}; echo "$now ${at}" >> ${out}`),
    `0 */6 * * * root ${now}; echo "$now input: $(tr '\\n' '/')" >> ${out}%one \\% two%three`,
    `0 5 * * * root ${now}; echo "$now $GREETING, $SHELL, $HOME, $LOGNAME, $PATH" >> ${out}`,
    "SHELL=/bin/bash",
    "HOME=/var",
    `0 6 * * * root ${now}; echo "$now \${BASH_VERSION:+bash} $PWD" >> ${out}`,
    `0 7 * * * nobody ${now}; echo "$now $(id -un) $(id -Gn) $LOGNAME" >> ${out}`,
    "SHELL=/bin/sh",
    // The minute's last job.
    `* * * * * root ${now}; echo "$now tick" >> ${out}`,
    "",
  ].join("\n");
}

const script = (folder: string, zone: string) => `
rm -f /etc/cron.d/* /etc/crontab
mkdir -p /etc/cron.d
cp ${folder}/cron-tab /etc/cron.d/day
printf 'auth required pam_permit.so\\naccount required pam_permit.so\\nsession required pam_permit.so\\n' > /etc/pam.d/cron
ln -s rcron /usr/bin/rcrond
export TZ=${zone} LD_PRELOAD=${clockLibrary} FAKETIME_TIMESTAMP_FILE=${folder}/clock FAKETIME_FMT=%s
export FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
cron -f -L 0 &
cron=$!
${onOneProcessor().join(" ")} /usr/bin/rcrond --conf ${folder}/conf --cron-dir ${folder}/jobs --crontab ${folder}/rcrond-tab 2>>${folder}/log &
rcrond=$!
unset LD_PRELOAD
until_ok grep -q ' is at work: ' ${folder}/log
sleep 0.3
${process.execPath} ${join(import.meta.dir, "clock-driver.ts")} ${folder} $cron $rcrond
kill $rcrond
wait $rcrond
`;

/** What a day's looks have run, by who ran it: each run a line, in order. */
async function runs(
  zone: string,
  fromMs: number,
  hours: number,
): Promise<Record<"cron" | "rcrond", string[]>> {
  using temporary = temporaryFolder();
  const folder = temporary.path;
  // A second after each minute, from the one before the day on.
  const looks = Array.from({ length: hours * 60 + 1 }, (_, at) => fromMs / 1000 + (at - 1) * minuteS + 1);
  const conf = [
    `history = ${folder}/history`,
    `state_file = ${folder}/state`,
    "[daemon]",
    "log = stderr",
    `state_folder = ${folder}/kept`,
    `socket = ${folder}/socket`,
  ];
  for (const name of ["history", "jobs"]) mkdirSync(join(folder, name));
  Bun.spawnSync(["chmod", "755", folder]);
  const files = { conf: conf.join("\n"), looks: looks.slice(1).join("\n"), clock: `${looks[0]}`, log: "" };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
  for (const name of ["cron", "rcrond"]) {
    writeFileSync(join(folder, `${name}-tab`), crontab(folder, name), { mode: 0o644 });
    writeFileSync(join(folder, `${name}-runs`), "");
    Bun.spawnSync(["chmod", "666", join(folder, `${name}-runs`)]);
  }
  const ended = await onPrivateHost(script(folder, zone), 100_000);
  if (ended.exitCode !== 0) console.error(readFileSync(join(folder, "log"), "utf8").slice(-2000));
  expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  const of = (name: string) => {
    const text = readFileSync(join(folder, `${name}-runs`), "utf8");
    return text.trimEnd().split("\n").map(named).sort();
  };
  return { cron: of("cron"), rcrond: of("rcrond") };
}

/** A line with its time to be read by people, and the job's own time instead of its number. */
function named(run: string): string {
  const [seconds, ...said] = run.split(" ");
  const text = said.join(" ");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 16)} ${/^\d+$/.test(text) ? lines[Number(text)] : text}`;
}

describeOnPrivateHost("a day beside the real Debian cron", ["dist/rcron", "cron", clockLibrary], () => {
  test("25 October in Berlin, whose hour from two to three is shown twice: 25 hours, the same runs", async () => {
    const midnightMs = Date.UTC(2026, 9, 24, 22);
    const { cron, rcrond } = await runs("Europe/Berlin", midnightMs, 25);
    expect(rcrond).toEqual(cron);
    const countOf = (text: string) => rcrond.filter((run) => run.slice(17) === text).length;
    expect(countOf("tick")).toBe(25 * 60);
    expect(countOf("30 2 * * *")).toBe(1);
    expect(countOf("*/15 2 * * *")).toBe(8);
    expect(countOf("0 * * * *")).toBe(25);
    expect(rcrond).toContain("2026-10-25T05:00 input: one % two/three/");
  }, 120_000);
});

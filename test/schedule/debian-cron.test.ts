/**
 * The engine beside the real Debian cron: the same crontab, the same clock, the same runs.
 *
 * cron's clock is a file (libfaketime reads it at each call), and a signal wakes cron from its sleep, so hours pass in
 * seconds and nothing depends on how fast the machine is: the next minute comes when cron has nothing more to do. A job
 * writes down what the file says when it runs.
 */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { advance, startCronClock, ticksIn } from "../../src/schedule/schedule.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { temporaryFolder } from "../support/program.ts";
import { parsed, zoneNamed } from "./expressions.ts";

const faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const minute = 60_000;
const hour = 60 * minute;

const lines = [
  // fixed
  "0 2 * * *",
  "30 2 * * *",
  "30 1 * * *",
  "0 3 * * *",
  "59 1 * * *",
  "0,30 1-3 * * *",
  "0-59/20 2 * * *",
  "10-20/5 1-2 * * *",
  "45 0-23 * * *",
  "15 1,2,3 * * sun",
  "1 2 29 * 0",
  "30 2 */2 * 0",
  "7 2 1-7 * 1",
  "20 2 * mar,oct,nov *",
  "@daily",
  // following the wall clock
  "*/15 * * * *",
  "*/15 2 * * *",
  "0 * * * *",
  "@hourly",
  "5 */2 * * *",
  "* 1 * * *",
  "*/7 2 */2 * *",
];

/** The instants, in seconds, at which cron is woken: a second after each minute. */
function minutes(fromMs: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => (fromMs + index * minute) / 1000 + 1);
}

const script = (folder: string, zone: string) => `
rm -f /etc/cron.d/* /etc/crontab
printf 'auth required pam_permit.so\\naccount required pam_permit.so\\nsession required pam_permit.so\\n' > /etc/pam.d/cron
crontab ${folder}/crontab
head -n 1 ${folder}/looks > /mnt/clock
: > /mnt/runs
TZ=${zone} LD_PRELOAD=${faketime} FAKETIME_TIMESTAMP_FILE=/mnt/clock FAKETIME_FMT=%s FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 cron -f -L 0 &
cron=$!
sleep 0.3
# Idle: asleep and without children, three times running, and woken each time.
tail -n +2 ${folder}/looks | while read -r now; do
  echo $now > /mnt/next; mv /mnt/next /mnt/clock
  idle=0
  until [ $idle -ge 3 ]; do
    kill -HUP $cron
    sleep 0.003
    children=; read -r children < /proc/$cron/task/$cron/children || :
    read -r pid name state rest < /proc/$cron/stat
    if [ -z "$children" ] && [ $state = S ] && grep -q "^$now tick" /mnt/runs; then idle=$((idle + 1)); else idle=0; fi
  done
done
cp /mnt/runs ${folder}/runs
`;

async function runsOfCron(zone: string, looks: readonly number[]): Promise<string[]> {
  using folder = temporaryFolder();
  const job = (text: string, name: string | number) =>
    `${text} read now < /mnt/clock; echo "$now ${name}" >> /mnt/runs\n`;
  writeFileSync(`${folder.path}/crontab`, job("* * * * *", "tick") + lines.map(job).join(""));
  writeFileSync(`${folder.path}/looks`, `${looks.join("\n")}\n`);
  const ended = await onPrivateHost(script(folder.path, zone), 40_000);
  expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  const runs = readFileSync(`${folder.path}/runs`, "utf8").trim().split("\n");
  return runs
    .filter((run) => !run.endsWith(" tick"))
    .map(named)
    .sort();
}

function runsOfEngine(zoneName: string, looks: readonly number[]): string[] {
  const zone = zoneNamed(zoneName);
  const runs: string[] = [];
  let clock = startCronClock(minute, (looks[0] ?? 0) * 1000, zone);
  for (const look of looks.slice(1)) {
    const step = advance(clock, look * 1000, zone.stretchAt(look * 1000).offsetMs);
    clock = step.clock;
    for (const [index, text] of lines.entries())
      for (const _ of ticksIn(parsed(text), step.due, zone)) runs.push(named(`${look} ${index}`));
  }
  return runs.sort();
}

function named(run: string): string {
  const [seconds, line] = run.split(" ");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 16)} ${lines[Number(line)]}`;
}

const changes: readonly (readonly [
  title: string,
  zone: string,
  changeMs: number,
  fromH: number,
  hours: number,
])[] = [
  ["Berlin, forward", "Europe/Berlin", Date.UTC(2026, 2, 29, 1), -1.2, 1.8],
  ["Berlin, back", "Europe/Berlin", Date.UTC(2026, 9, 25, 1), -1.2, 2.5],
  ["New York, forward", "America/New_York", Date.UTC(2026, 2, 8, 7), -1.2, 1.8],
  ["New York, back", "America/New_York", Date.UTC(2026, 10, 1, 6), -1.2, 2.5],
  ["Lord Howe, forward by half an hour", "Australia/Lord_Howe", Date.UTC(2026, 9, 3, 15, 30), -0.5, 1],
  ["Lord Howe, back by half an hour", "Australia/Lord_Howe", Date.UTC(2026, 3, 4, 15), -0.5, 1.5],
];
const noon = Date.UTC(2026, 5, 10, 2);
const steps = [5, 6, 59, 179, 180, 181, 24 * 60, -2, -30, -60, -179, -180, -181, -24 * 60];

describeOnPrivateHost("the real Debian cron runs what advance() says", ["cron", faketime], () => {
  test.each(changes)(
    "%s",
    async (_, zone, changeMs, fromH, hours) => {
      const looks = minutes(changeMs + fromH * hour, hours * 60);
      const runs = await runsOfCron(zone, looks);
      expect(runs.length).toBeGreaterThan(20);
      expect(runs).toEqual(runsOfEngine(zone, looks));
    },
    60_000,
  );

  test.each(steps)(
    "a clock that is set by %p minutes",
    async (by) => {
      const looks = [...minutes(noon, 2), ...minutes(noon + (1 + by) * minute, 20)];
      expect(await runsOfCron("UTC", looks)).toEqual(runsOfEngine("UTC", looks));
    },
    60_000,
  );
});

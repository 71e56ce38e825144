/**
 * A long one: supervised lines under the real cron, whose clock is sixty times too fast, while the machine goes from active
 * to passive and back; then the log's account, tick by tick, against the record's.
 *
 *     npx bun test/system/supervised-soak.ts [MINUTES]      of the real clock; 5
 */
import {
  counted,
  cronMinutes,
  jobsOf,
  runsOf,
  supervisedStage,
  tellRecord,
  ticksOf,
  valueIn,
  warningsOf,
} from "../support/supervised.ts";
import { play, type Scene } from "./daemons.ts";

const lines = [
  "rcron --name locked --overlap skip sleep 1.7",
  "rcron --name queued --overlap wait=5s sleep 1.3",
  "rcron --name replaced --overlap clobber --grace 2s sleep 1.5",
  "rcron --name slow --timeout 1s --grace 1s sh -c 'sleep 60 & sleep 60'",
  "rcron --name stubborn --timeout 1s --grace 1s sh -c 'trap : TERM; while :; do sleep 0.2; done'",
  "rcron --name flaky --retry 2 --retry-delay 1s --output if-error:cron sh -c 'mkdir /run/tried-$RCRON_RUN_ID 2>/dev/null && exit 9; echo fine'",
  "rcron --name quiet --output if-error:cron --output /run/out/quiet seq 1000",
  "rcron --name guarded --if 'test -e /run/gate' true",
  "rcron --name stopped --timeout 1m --on-passive stop sleep 3",
  "rcron true",
];

async function main(): Promise<void> {
  const realMinutes = Number(process.argv[2] ?? 5);
  const scene = await play(
    `${supervisedStage}
flip() {
  while :; do
    sleep 7; rm -f /run/gate
    sleep 4; state passive
    sleep 5; state active
    sleep 3; : >/run/gate
  done
}
flip & flipper=$!
${cronMinutes({ lines, minutes: Math.ceil(realMinutes * 60) })}
kill $flipper $(for pid in $(pids_of sleep); do ! grep -q "^PPid:.$flipper$" /proc/$pid/status || echo $pid; done)
wait $flipper || :
for name in rcron sleep; do pids_of $name; done >/run/out/left
cat /run/rcron/locks/*.lock >/run/out/locks
${tellRecord}`,
    (realMinutes + 3) * 60_000,
  );
  const complaints = compare(scene);
  console.log(`${ticksOf(scene).length} ticks, ${runsOf(scene).length} records`);
  for (const { job, totals } of jobsOf(scene)) {
    console.log(job.padEnd(10), totals.map(({ state, why, count }) => `${why ?? state} ${count}`).join(", "));
  }
  for (const complaint of complaints) console.log(`wrong: ${complaint}`);
  process.exit(complaints.length === 0 ? 0 : 1);
}

/** What the accounts don't agree on. */
function compare(scene: Scene): string[] {
  const complaints: string[] = [];
  const ticks = ticksOf(scene);
  const fromLog: string[] = [];
  for (const { command, said } of ticks) {
    const last = said.at(-1) ?? "";
    const job = / job=(\S+)/.exec(last)?.[1] ?? "none";
    const why = / why=(\S+)/.exec(last)?.[1];
    const word = valueIn(last, "status");
    const starts = said.filter((line) => line.includes(" status=start ")).length;
    if ((word === "ok" || word === "fail") !== (starts === 1))
      complaints.push(`${command}: ${said.join(" | ")}`);
    if (word === "ok") fromLog.push(`${job} succeeded`);
    else if (word === "fail") fromLog.push(`${job} failed`);
    else if (word === "skip") fromLog.push(`${job} ${why}`);
    else if (word === "ignore") fromLog.push(`${job} passive`);
    else complaints.push(`${command}: no end: ${said.join(" | ")}`);
  }
  const fromRecord = runsOf(scene).map(({ job, state, why }) => `${job} ${why ?? state}`);
  const fromTotals = jobsOf(scene).flatMap(({ job, totals }) =>
    totals.flatMap(({ state, why, count }) => Array.from({ length: count }, () => `${job} ${why ?? state}`)),
  );
  const inOrder = (texts: readonly string[]) => JSON.stringify(Object.entries(counted(texts)).toSorted());
  if (inOrder(fromLog) !== inOrder(fromRecord)) {
    complaints.push(`log and runs differ:\n${inOrder(fromLog)}\n${inOrder(fromRecord)}`);
  }
  if (inOrder(fromLog) !== inOrder(fromTotals)) complaints.push("log and jobs differ");
  const expectedMails = runsOf(scene).filter(({ cause, state }) => cause === "timeout" && state === "failed");
  const timeoutMails = scene.mails.filter(({ body }) => body.includes("had not finished within"));
  if (timeoutMails.length !== expectedMails.length) {
    complaints.push(`${expectedMails.length} timeouts, ${timeoutMails.length} mails about them`);
  }
  const odd = warningsOf(scene).filter((line) => !/status=(retry|stop)/.test(line));
  complaints.push(...odd.map((line) => `warning: ${line}`));
  if (scene.files["left"] !== "") complaints.push(`processes are left: ${scene.files["left"]}`);
  if (scene.files["locks"] !== "") complaints.push(`locks are held: ${scene.files["locks"]}`);
  return complaints;
}

await main();

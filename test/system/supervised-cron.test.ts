/** Supervised lines under the real cron, minute after minute: its mails, the log and the record tell one story. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { consistentSplayMs } from "../../src/schedule/schedule.ts";
import { describeOnPrivateHost } from "../support/private-host.ts";
import {
  counted,
  cronMinutes,
  jobsOf,
  jsonOf,
  runsOf,
  supervisedStage,
  type Tick,
  tellRecord,
  ticksOf,
  valueIn,
} from "../support/supervised.ts";
import { cronNeeds, failuresByCommand, mailsAbout, play, type Scene } from "./daemons.ts";

setDefaultTimeout(120_000);

const lines = {
  plain: "rcron ran plain",
  locked: "rcron --name locked --overlap skip ran locked 1.7",
  slow: "rcron --name slow --timeout 1s --grace 1s ran slow 60",
  quiet: "rcron --name quiet --output if-error:cron loud 0",
  failing: "rcron --name failing --output if-error:cron loud 3",
  flaky: "rcron --name flaky --retry 2 --retry-delay 1s second-time",
  guarded: "rcron --name guarded --if 'test -e /run/gate' ran guarded",
  spread: "rcron --name spread --splay 1m ran spread",
  left: "rcron --name left --skip-exit 75 ran left",
} as const;
type Name = keyof typeof lines;
const names = Object.keys(lines) as Name[]; // the keys of a literal
const minutes = 5;

/** The name by which log and record know it. */
const jobOf = (name: Name) => (name === "plain" ? "ran" : name);
const ticksOfName = (scene: Scene, name: Name) =>
  ticksOf(scene).filter(({ command }) => command === lines[name]);
const runsOfName = (scene: Scene, name: Name) => runsOf(scene).filter(({ job }) => job === jobOf(name));

const jobs = `
job ran <<'END'
#!/bin/sh
echo "$RCRON_RUN_ID" >>/run/out/ran-$1
[ -z "\${2-}" ] || exec sleep $2
END
job loud <<'END'
#!/bin/sh
echo first
echo second >&2
echo third
exit $1
END
job second-time <<'END'
#!/bin/sh
mkdir /run/tried-$RCRON_RUN_ID 2>/dev/null && exit 9
echo "$RCRON_RUN_ID" >>/run/out/ran-flaky
END
`;

const askAll = `${tellRecord}
for name in ${names.map(jobOf).join(" ")}; do rcronctl why --json $name >/run/out/why-$name || :; done
`;

/** What the log says became of a tick: the words of `status=`, in order. */
const statuses = ({ said }: Tick) => said.map((line) => valueIn(line, "status") ?? line);

/** Names of machines whose place in a minute is each of its seconds, in order. */
function hostsBySecond(): string[] {
  const hosts: string[] = [];
  for (let at = 0; hosts.filter(Boolean).length < 60; at++) {
    hosts[consistentSplayMs(`node-${at}`, 60_000) / 1000] ??= `node-${at}`;
  }
  return hosts;
}

describeOnPrivateHost("supervised lines under cron, on the active machine,", [...cronNeeds], () => {
  let scene: Promise<Scene> | undefined;
  const played = () => {
    // The machine's turn comes while the first ticks of `spread` wait for it; the gate opens in the middle.
    scene ??= play(
      `${supervisedStage}${jobs}
until [ "$(date +%S)" -lt 40 ]; do sleep 0.2; done
set -- ${hostsBySecond().join(" ")}
shift $(($(date +%S | sed 's/^0//') + 7))
hostname $1
hostname >/run/out/host
${cronMinutes({
  lines: Object.values(lines),
  minutes,
  meanwhile: `until [ "$(ticks)" -ge ${names.length * 2} ]; do sleep 0.05; done; : >/run/gate`,
})}
${askAll}
rcronctl show "$(sed -n 's/.*"run": "\\([0-9a-f]*\\)".*/\\1/p' /run/out/why-failing | head -n 1)" >/run/out/show`,
      110_000,
    );
    return scene;
  };

  test("each line has its minutes, and each tick has its lines in the log", async () => {
    const scene = await played();
    const ways: Record<Name, string[]> = {
      plain: ["start ok"],
      locked: ["skip", "start ok"],
      slow: ["start fail"],
      quiet: ["start ok"],
      failing: ["start fail"],
      flaky: ["start retry ok"],
      guarded: ["skip", "start ok"],
      spread: ["start ok"],
      left: ["start ok"],
    };
    for (const name of names) {
      const ticks = ticksOfName(scene, name);
      expect([name, ticks.length >= minutes]).toEqual([name, true]);
      const seen = new Set(ticks.map((tick) => statuses(tick).join(" ")));
      expect([name, [...seen].toSorted()]).toEqual([name, ways[name]]);
    }
  });

  test("cron's mail is the timeouts and the failures, and nothing more", async () => {
    const scene = await played();
    const expected: [Name, string][] = [
      ["slow", "rcron: slow was ended: it had not finished within 1 s\n"],
      ["failing", "first\nsecond\nthird\n"],
    ];
    let all = 0;
    for (const [name, body] of expected) {
      const about = mailsAbout(scene, lines[name]);
      expect(counted(about.map((mail) => mail.body))).toEqual({ [body]: ticksOfName(scene, name).length });
      all += about.length;
    }
    expect(scene.mails).toHaveLength(all);
  });

  test("cron hears of the timeout and of the failure alone", async () => {
    expect(failuresByCommand(await played())).toEqual({ [lines.slow]: 124, [lines.failing]: 3 });
  });

  test("the record tells the same as the log, tick by tick", async () => {
    const scene = await played();
    for (const name of names) {
      const fromLog = ticksOfName(scene, name).map(({ pid, said }) => {
        const last = said.at(-1) ?? "";
        const status = valueIn(last, "status");
        if (status === "skip") {
          const [, why, sentence] = / why=(\S+) \((.*)\) job=/.exec(last) ?? [];
          return `skipped ${why}: ${sentence}`;
        }
        const state = status === "ok" ? "succeeded" : "failed";
        const how = valueIn(last, "exit") ?? `signal ${valueIn(last, "signal")}`;
        return `${state} ${valueIn(last, "run")} pid ${pid} ${how} ${valueIn(last, "cause") ?? "exit"} ${valueIn(last, "attempts") ?? 1}`;
      });
      const fromRecord = runsOfName(scene, name).map((run) =>
        run.state === "skipped"
          ? `skipped ${run.why}: ${run.sentence}`
          : `${run.state} ${run.run} pid ${run.pid} ${run.exit ?? `signal ${run.signal}`} ${run.cause} ${run.attempts ?? 1}`,
      );
      expect([name, fromRecord.toSorted()]).toEqual([name, fromLog.toSorted()]);
    }
  });

  test("and so does what the jobs themselves have left", async () => {
    const scene = await played();
    for (const name of ["plain", "locked", "slow", "flaky", "guarded", "spread", "left"] as const) {
      const ran = runsOfName(scene, name).filter(({ state }) => state !== "skipped");
      const ids = (scene.files[`ran-${name}`] ?? "").trim().split("\n");
      expect([name, ids.toSorted()]).toEqual([name, ran.map(({ run }) => run).toSorted()]);
    }
  });

  test("rcronctl jobs counts what the log counts", async () => {
    const scene = await played();
    const told = jobsOf(scene);
    expect(told.map(({ job }) => job)).toEqual(names.map(jobOf).toSorted());
    for (const name of names) {
      const job = told.find((each) => each.job === jobOf(name));
      const ends = ticksOfName(scene, name).map((tick) => statuses(tick).at(-1) ?? "none");
      const { ok = 0, fail = 0, skip = 0 } = counted(ends);
      const totals = Object.fromEntries((job?.totals ?? []).map(({ state, count }) => [state, count]));
      const { succeeded = 0, failed = 0, skipped = 0 } = totals;
      expect([name, succeeded, failed, skipped]).toEqual([name, ok, fail, skip]);
      expect(job).toMatchObject({ running: 0, failureStreak: fail });
    }
  });

  test("rcronctl why tells of the last of each job's ticks, in a sentence", async () => {
    const scene = await played();
    const succeeded = /^ran at \S+, succeeded after [\d.]+ s$/;
    const sentences: Record<Name, RegExp> = {
      plain: succeeded,
      locked:
        /^(ran at \S+, succeeded after [\d.]+ s|skipped: the run of \S+ still went on \(pid \d+, \d+ s then\); it succeeded after [\d.]+ s)$/,
      slow: /^ran at \S+, failed: timed out after [\d.]+ s$/,
      quiet: succeeded,
      failing: /^ran at \S+, failed: exit status 3 after [\d.]+ s$/,
      flaky: /^ran at \S+, succeeded after [\d.]+ s \(2 attempts\)$/,
      guarded: succeeded,
      spread: succeeded,
      left: succeeded,
    };
    for (const name of names) {
      const { sentences: told } = jsonOf<{ sentences: string[] }>(scene, `why-${jobOf(name)}`);
      expect(told).toEqual([expect.stringMatching(sentences[name])]);
    }
  });

  test("rcronctl show has a run's output", async () => {
    expect((await played()).files["show"]).toEndWith("\noutput, 19 bytes:\nfirst\nsecond\nthird\n");
  });

  test("a timeout is no shorter than it says", async () => {
    for (const { durationMs } of runsOfName(await played(), "slow"))
      expect(durationMs).toBeWithin(1000, 60_000);
  });

  test("a splayed line waits for the machine's turn, and never starts before it", async () => {
    const scene = await played();
    const host = scene.files["host"]?.trim() ?? "";
    const turnOf = (tick: number) => tick - (tick % 60_000) + consistentSplayMs(host, 60_000);
    const runs = runsOfName(scene, "spread").map(
      ({ tick, at }) => [Date.parse(tick), Date.parse(at)] as const,
    );
    // A timer may fire within the millisecond before its time.
    for (const [tick, at] of runs) expect(at).toBeGreaterThanOrEqual(turnOf(tick) - 1);
    expect(runs.some(([tick]) => tick < turnOf(tick))).toBe(true);
  });
});

describeOnPrivateHost("supervised lines under cron, on a passive machine,", [...cronNeeds], () => {
  let scene: Promise<Scene> | undefined;
  const played = () => {
    scene ??= play(
      `${supervisedStage}${jobs}
state passive
${cronMinutes({ lines: Object.values(lines), minutes: 3 })}
${askAll}`,
      60_000,
    );
    return scene;
  };

  test("start nothing, and leave one line each in the log", async () => {
    const scene = await played();
    expect(Object.keys(scene.files).filter((file) => file.startsWith("ran-"))).toEqual([]);
    for (const name of names) {
      const ticks = ticksOfName(scene, name);
      expect([name, ticks.length >= 3]).toEqual([name, true]);
      expect(counted(ticks.map((tick) => statuses(tick).join(" ")))).toEqual({ ignore: ticks.length });
    }
  });

  test("are mailed by nobody, and fail with the status that they ask for alone", async () => {
    expect((await played()).mails).toEqual([]);
    expect(failuresByCommand(await played())).toEqual({ [lines.left]: 75 });
  });

  test("are recorded with their reason, as often as they were due", async () => {
    const scene = await played();
    for (const name of names) {
      const runs = runsOfName(scene, name).map(({ state, why }) => `${state} ${why}`);
      expect([name, counted(runs)]).toEqual([name, { "skipped passive": ticksOfName(scene, name).length }]);
      const told = jsonOf<{ sentences: string[] }>(scene, `why-${jobOf(name)}`);
      expect(told.sentences).toEqual([expect.stringMatching(/^not run here: passive/)]);
    }
    expect(jobsOf(scene).map(({ job, state, lastRun }) => ({ job, state, lastRun }))).toEqual(
      names
        .map(jobOf)
        .toSorted()
        .map((job) => ({ job, state: "passive", lastRun: null })),
    );
  });
});

/** The ends of supervised runs: by the timeout, with all that the job has started; by KILL of rcron; under a clock that is stepped. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { describeOnPrivateHost } from "../support/private-host.ts";
import { runsOf, supervisedStage, tellRecord, warningsOf } from "../support/supervised.ts";
import { linesOf, logNeeds, play } from "./daemons.ts";

setDefaultTimeout(120_000);

const faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/** Jobs that are hard to end. Each process of theirs is a `sleep` with a time of its own, or a shell that is named here. */
const stage = `${supervisedStage}
job ignores-term <<'END'
#!/bin/sh
trap '' TERM
echo "still here"
while :; do sleep 1; done
END
job halted <<'END'
#!/bin/sh
kill -STOP $$
END
# Two hundred processes, four deep: some in groups and sessions of their own, some that ignore TERM, some whose parents have gone.
job tree <<'END'
#!/bin/sh
for a in 1 2 3 4 5; do
  sh -c 'for b in 1 2 3 4; do
    setsid sh -c "for c in 1 2 3; do
      (trap \\"\\" TERM; sleep 3333) &
      (sleep 3333; :) &
      (setsid -f sleep 3333)
    done; sleep 3333" &
  done; wait' &
done
wait
END
job daemonizes <<'END'
#!/bin/sh
echo "before"
setsid -f sh -c 'echo $$ >/run/daemon; until [ -e /run/speak ]; do sleep 0.1; done; echo late; exec sleep 3333'
until [ -s /run/daemon ]; do sleep 0.01; done
echo "after"
END
alive() { [ -e /proc/$1/stat ] && ! grep -q '^State:.Z' /proc/$1/status; }
gone() { ! alive $1; }
members() { count=0; for name in sleep sh setsid; do count=$((count + $(runs $name))); done; echo $((count - 1)); } # this shell is one
has_members() { [ "$(members)" -ge $1 ]; }
`;

describeOnPrivateHost("a timeout", [...logNeeds], () => {
  const jobs = [
    ["a job that ignores TERM", "ignores-term", "still here\n", 9],
    ["a job that has halted itself", "halted", "", 15],
    ["a job that daemonizes first", "sh -c 'daemonizes; exec sleep 3333'", "before\nafter\n", 15],
  ] as const;
  for (const [title, command, output, signal] of jobs) {
    test.concurrent(`ends ${title}, and nothing of it is left`, async () => {
      const scene = await play(
        `${stage}
before=$(members)
ends_with rcron --name hard --timeout 2s --grace 1s --output cron ${command} >/run/out/stdout 2>/run/out/stderr
echo $(($(members) - before)) >/run/out/left
${tellRecord}`,
        60_000,
      );
      expect(scene.files["left"]).toBe("0\n");
      expect(scene.files["stdout"]).toBe(`${output}124\n`);
      expect(scene.files["stderr"]).toBe("rcron: hard was ended: it had not finished within 2 s\n");
      expect(runsOf(scene)).toEqual([
        expect.objectContaining({ state: "failed", cause: "timeout", signal, detached: false, survivors: 0 }),
      ]);
    });
  }

  test.concurrent("ends a job that starts itself anew with each TERM", async () => {
    const scene = await play(
      `${stage}
job respawns <<'END'
#!/bin/sh
trap 'echo again >>/run/respawned; setsid -f /run/jobs/respawns' TERM
while :; do sleep 0.1; done
END
rcron --name hard --timeout 1s --grace 1s respawns 2>/run/out/stderr || :
wc -l </run/respawned >/run/out/respawned
sleep 0.5
{ pids_of respawns; pids_of sleep; } >/run/out/left
${tellRecord}`,
      60_000,
    );
    expect(Number(scene.files["respawned"])).toBeGreaterThan(0);
    expect(scene.files["left"]).toBe("");
    expect(runsOf(scene)).toEqual([expect.objectContaining({ cause: "timeout", survivors: 0 })]);
  });

  test.concurrent("does not find what has left group and session, cleaned its environment, and lost its parent: docs/limits.md", async () => {
    const scene = await play(
      `${stage}
rcron --name leaky --timeout 1s --grace 1s sh -c 'env -i /usr/bin/setsid -f /bin/sleep 4444; exec sleep 3333' 2>/run/out/stderr || :
for pid in $(pids_of sleep); do tr '\\0' ' ' </proc/$pid/cmdline; done >/run/out/left`,
      60_000,
    );
    expect(scene.files["left"]).toBe("/bin/sleep 4444 ");
  });

  test.concurrent("ends a tree of two hundred processes, and nothing of it is left", async () => {
    const scene = await play(
      `${stage}
before=$(members)
rcron --name tree --timeout 10s --grace 1s --output /run/out/output tree 2>/run/out/stderr & run=$!
patiently has_members $((before + 200))
members >/run/out/most
status=0; wait $run || status=$?
echo $status >/run/out/status
echo $(($(members) - before)) >/run/out/left
${tellRecord}`,
      60_000,
    );
    expect(Number(scene.files["most"])).toBeGreaterThanOrEqual(200);
    expect(scene.files).toMatchObject({ status: "124\n", left: "0\n" });
    expect(runsOf(scene)).toEqual([expect.objectContaining({ cause: "timeout", survivors: 0 })]);
  });
});

describeOnPrivateHost("a job that leaves a daemon behind, without a timeout,", [...logNeeds], () => {
  test.concurrent("ends its run with output=detached; the daemon lives on until it prints, the lock is free, and the next run works", async () => {
    const scene = await play(
      `${stage}
ends_with rcron --name service --overlap skip --output /run/out/output daemonizes >/run/out/status
runs rcron >/run/out/watchers
alive "$(cat /run/daemon)" && echo yes >/run/out/lives
ends_with rcron --name service --overlap skip --output cron echo next >/run/out/next
: >/run/speak
until_ok gone "$(cat /run/daemon)"
${tellRecord}`,
      30_000,
    );
    expect(scene.files).toMatchObject({
      status: "0\n",
      output: "before\nafter\n",
      watchers: "0\n",
      lives: "yes\n",
      next: "next\n0\n",
    });
    const ends = linesOf(scene, "rcron").filter(({ message }) => message.includes("status=ok"));
    expect(ends.map(({ message }) => message.includes(" output=detached "))).toEqual([true, false]);
    expect(runsOf(scene).map(({ state, detached }) => [state, detached])).toEqual([
      ["succeeded", true],
      ["succeeded", false],
    ]);
  });

  test.concurrent("keeps its lock with --overlap-scope tree until the daemon has ended", async () => {
    const scene = await play(
      `${stage}
rcron --name service --overlap skip --overlap-scope tree --output /run/out/output daemonizes
ends_with rcron --name service --overlap skip --skip-exit 75 true >/run/out/second
kill -9 -"$(cat /run/daemon)"
until_ok none_runs sleep
ends_with rcron --name service --overlap skip --skip-exit 75 true >/run/out/third
${tellRecord}`,
      30_000,
    );
    expect(scene.files).toMatchObject({ second: "75\n", third: "0\n" });
    expect(runsOf(scene).map(({ state }) => state)).toEqual(["succeeded", "skipped", "succeeded"]);
  });
});

describeOnPrivateHost("an rcron that is killed in the middle of a run", [...logNeeds], () => {
  test.concurrent("leaves its job to itself, and the lock with it; the record says interrupted; the next run works", async () => {
    const scene = await play(
      `${stage}
job orphan <<'END'
#!/bin/sh
echo $$ >/run/orphan
until [ -e /run/release ]; do sleep 0.02; done
echo finished >/run/out/orphan
END
rcron --name backup --overlap skip --timeout 1h --output cron --output /run/out/file orphan & watcher=$!
until_ok test -s /run/orphan
kill -9 $watcher
wait $watcher || :
alive "$(cat /run/orphan)" && echo yes >/run/out/lives
ends_with rcron --name backup --overlap skip --skip-exit 75 echo never >/run/out/second
rcronctl why backup >/run/out/why || :
rcronctl runs --job backup >/run/out/table
: >/run/release
until_ok gone "$(cat /run/orphan)"
ends_with rcron --name backup --overlap skip --skip-exit 75 echo again >/run/out/third
${tellRecord}`,
      30_000,
    );
    expect(scene.files).toMatchObject({
      lives: "yes\n",
      orphan: "finished\n",
      second: "75\n",
      third: "again\n0\n",
    });
    expect(runsOf(scene).map(({ state, why, sentence }) => [state, why, sentence])).toEqual([
      ["interrupted", null, "rcron was killed while it ran, so nobody saw its end"],
      ["skipped", "overlap", expect.stringMatching(/^the run of \S+ still goes on \(pid \d+, \d+ s\)$/)],
      ["succeeded", null, null],
    ]);
    expect(scene.files["why"]).toMatch(
      /^skipped: the run of \S+ still went on \(pid \d+, \d+ s then\); it was interrupted$/m,
    );
  });

  test.concurrent("is clobbered like any other run: its job ends for the next one", async () => {
    const scene = await play(
      `${stage}
rcron --name backup --overlap skip sh -c 'echo $$ >/run/orphan; exec sleep 3333' & watcher=$!
until_ok test -s /run/orphan
kill -9 $watcher
wait $watcher || :
ends_with rcron --name backup --overlap clobber --grace 5s echo mine >/run/out/second
gone "$(cat /run/orphan)" && echo yes >/run/out/gone`,
      30_000,
    );
    expect(scene.files).toMatchObject({ second: "mine\n0\n", gone: "yes\n" });
  });
});

describeOnPrivateHost(
  "a job whose watching rcron is killed while its output is copied",
  [...logNeeds],
  () => {
    test.concurrent("goes on until it prints the next time, and ends by SIGPIPE then, as behind any pipe", async () => {
      const scene = await play(
        `${stage}
job printer <<'END'
#!/bin/sh
echo $$ >/run/printer
echo one
until [ -e /run/release ]; do sleep 0.02; done
echo two
echo "still there" >/run/out/after
END
rcron --name printer --timeout 1h --output /run/out/output printer & watcher=$!
until_ok grep -q one /run/out/output
kill -9 $watcher
wait $watcher || :
sleep 0.2
alive "$(cat /run/printer)" && echo yes >/run/out/lives
: >/run/release
until_ok gone "$(cat /run/printer)"
${tellRecord}`,
        30_000,
      );
      expect(scene.files).toMatchObject({ lives: "yes\n", output: "one\n" });
      expect(scene.files).not.toHaveProperty("after");
      expect(runsOf(scene).map(({ state }) => state)).toEqual(["interrupted"]);
    });
  },
);

describeOnPrivateHost("a clock that is stepped by an hour while a job runs", [...logNeeds, faketime], () => {
  for (const [title, step] of [
    ["forward", "+3600s"],
    ["back", "-3600s"],
  ] as const) {
    test.concurrent(`${title}: the timeout comes in its time, the duration is right, nothing hangs`, async () => {
      const scene = await play(
        `${stage}
echo +0 >/run/clock
rcron_under() { LD_PRELOAD=${faketime} FAKETIME_TIMESTAMP_FILE=/run/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"; }
job step <<'END'
#!/bin/sh
date +%s >>/run/out/dates
echo ${step} >/run/clock
date +%s >>/run/out/dates
exec sleep $1
END
begin=$(now_ms)
ends_with rcron_under rcron --name slow --timeout 3s --grace 1s --output /run/out/output step 3333 >/run/out/slow
echo $(($(now_ms) - begin)) >/run/out/took
echo +0 >/run/clock
ends_with rcron_under rcron --name patient --timeout 30s --overlap skip --retry 1 --retry-delay 1s sh -c 'step 1; exit 4' >/run/out/patient
echo +0 >/run/clock
rcron_under rcron --name held --overlap skip step 2 & first=$!
until_ok logged 'status=start job=held'
sleep 0.5
ends_with rcron_under rcron --name held --overlap skip --skip-exit 75 true >/run/out/skipped
ends_with rcron_under rcron --name held --overlap wait=1m true >/run/out/waited
wait $first
rm /run/clock
${tellRecord}
for name in slow patient held; do rcronctl why $name >/run/out/why-$name || :; done`,
        90_000,
      );
      const [before = 0, after = 0] = (scene.files["dates"] ?? "").split("\n").map(Number);
      expect(Math.abs(after - before)).toBeWithin(3590, 3700); // or the step did not come
      expect(scene.files).toMatchObject({
        slow: "124\n",
        patient: "4\n",
        skipped: "75\n",
        waited: "0\n",
      });
      expect(Number(scene.files["took"])).toBeWithin(3000, 60_000);
      const runs = runsOf(scene);
      const told = (name: string) =>
        runs.filter(({ job }) => job === name).map(({ state, why }) => why ?? state);
      expect([told("slow"), told("patient"), told("held")]).toEqual([
        ["failed"],
        ["failed"],
        ["succeeded", "overlap", "succeeded"],
      ]);
      const durations = runs.flatMap(({ durationMs }) => durationMs ?? []);
      expect(durations).toHaveLength(4);
      for (const ms of durations) expect(ms).toBeWithin(0, 60_000);
      expect(durations[0]).toBeWithin(3000, 60_000);
      expect(runs.find(({ job }) => job === "patient")).toMatchObject({ attempts: 2 });
      expect(warningsOf(scene).filter((line) => !line.includes("status=retry"))).toEqual([]);
    });
  }
});

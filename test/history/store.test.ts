/** Folding, and all that can be wrong with the record. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, spyOn, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { withHistory } from "../../src/history/history.ts";
import { seqQuestion } from "../../src/history/queries.ts";
import type { RunEvent } from "../../src/model/run-event.ts";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost, onPrivateHost, project } from "../support/private-host.ts";
import { temporaryFolder } from "../support/program.ts";
import { ask, end, everything, journal, nightMs, skip, start } from "./events.ts";

const scratch = temporaryFolder();
afterAll(() => scratch[Symbol.dispose]());
let folders = 0;
const newFolder = () => join(scratch.path, String(folders++));
const states = async (folder: string) =>
  (await ask(folder, everything)).answer.map(({ id, state }) => `${id} ${state}`);
/** How often the first job came to each end. */
const totals = async (folder: string) => {
  const [job] = (await ask(folder, (queries) => queries.jobs())).answer;
  return Object.fromEntries((job?.totals ?? []).map(({ state, count }) => [state, count]));
};

describe("folding", () => {
  test("makes a run of a start and an end, together or apart", async () => {
    const folder = newFolder();
    journal(folder, start("a1"), end("a1"), start("a2"));
    expect(await states(folder)).toEqual(["a1 succeeded", "a2 running"]);
    journal(folder, end("a2", { ok: false, exit: 3 }));
    expect(await states(folder)).toEqual(["a1 succeeded", "a2 failed"]);
    const [run] = (await ask(folder, (queries) => queries.find("a2"))).answer;
    expect(run).toMatchObject({
      job: "backup",
      host: "alpha",
      cluster: "c1",
      ms: 12_000,
      exit: 3,
      cause: "exit",
    });
    expect(statSync(`${folder}/history.db`).mode & 0o777).toBe(0o600);
  });

  test("waits for the rest of a half line", async () => {
    const folder = newFolder();
    const line = `\n${JSON.stringify(start("a1"))}\n`;
    journal(folder, line.slice(0, 40));
    expect(await ask(folder, everything)).toEqual({ answer: [], warnings: [] });
    journal(folder, line.slice(40));
    expect(await states(folder)).toEqual(["a1 running"]);
  });

  test("a torn line costs itself alone, and is told once", async () => {
    const folder = newFolder();
    journal(
      folder,
      start("a1"),
      '\n{"kind":"end","run":"a1","at":17',
      start("a2"),
      "\nnonsense\n",
      end("a2"),
    );
    const first = await ask(folder, everything);
    expect(first.answer.map(({ state }) => state)).toEqual(["running", "succeeded"]);
    expect(first.warnings).toEqual(["2 lines of the journal can't be understood: passed over"]);
    expect((await ask(folder, everything)).warnings).toEqual([]);
  });

  test("an end may come before its start", async () => {
    const folder = newFolder();
    journal(folder, end("a1"));
    expect(await states(folder)).toEqual([]);
    journal(folder, start("a1"));
    expect(await states(folder)).toEqual(["a1 succeeded"]);
  });

  test("takes no line twice, even from a copy of the journal", async () => {
    const folder = newFolder();
    journal(folder, start("a1"), end("a1"));
    await states(folder);
    writeFileSync(`${folder}/journal.1`, readFileSync(`${folder}/journal`));
    expect(await states(folder)).toEqual(["a1 succeeded"]);
    const [job] = (await ask(folder, (queries) => queries.jobs())).answer;
    expect(job?.totals).toEqual([{ state: "succeeded", count: 1 }]);
  });

  test("removes a full journal when it is read and quiet for a minute, and not before", async () => {
    const folder = newFolder();
    journal(folder, start("a1"));
    renameSync(`${folder}/journal`, `${folder}/journal.1000`);
    journal(folder, end("a1"));
    expect(await states(folder)).toEqual(["a1 succeeded"]);
    expect(existsSync(`${folder}/journal.1000`)).toBe(true);
    // Only a change of the clock could make it look old: its change time is the kernel's.
    utimesSync(`${folder}/journal.1000`, 1, 1);
    await states(folder);
    expect(existsSync(`${folder}/journal.1000`)).toBe(true);
  });

  test("begins a journal anew that was cut, or has the inode of another", async () => {
    const folder = newFolder();
    journal(folder, start("a1"), end("a1"));
    await states(folder);
    truncateSync(`${folder}/journal`, 0);
    journal(folder, start("b1"), end("b1"), start("b2"), end("b2"), start("b3"), end("b3"));
    expect(await states(folder)).toEqual(["a1 succeeded", "b1 succeeded", "b2 succeeded", "b3 succeeded"]);
  });

  test("reads on where it was in a journal larger than a part", async () => {
    const folder = newFolder();
    const text = "x".repeat(9000);
    journal(folder, ...Array.from({ length: 1500 }, (_, at) => start(`r${at}`, { text: `${at} ${text}` })));
    expect(await states(folder)).toHaveLength(1500);
  });

  test("keeps the output as it came", async () => {
    const folder = newFolder();
    const zipped = (part: string) => Buffer.from(Bun.gzipSync(Buffer.from(part))).toString("base64");
    journal(
      folder,
      start("a1"),
      end("a1", {
        output: { bytes: 50, leftOut: 30, head: zipped("the start\n"), tail: zipped("the end ä\n") },
      }),
    );
    const { answer } = await ask(folder, (queries) => queries.output(1));
    const text = (part: Uint8Array | undefined) => new TextDecoder().decode(part);
    expect([text(answer?.head), text(answer?.tail), answer?.leftOut]).toEqual([
      "the start\n",
      "the end ä\n",
      30,
    ]);
  });

  test("two readers at once see the same, and count nothing twice", async () => {
    const folder = newFolder();
    journal(folder, ...Array.from({ length: 3000 }, (_, at) => [start(`r${at}`), end(`r${at}`)]).flat());
    const all = await Promise.all([states(folder), states(folder), states(folder)]);
    for (const each of all) expect(each).toEqual(all[0] ?? []);
    const [job] = (await ask(folder, (queries) => queries.jobs())).answer;
    expect(job?.totals).toEqual([{ state: "succeeded", count: 3000 }]);
  });
});

describe("a run without an end", () => {
  test.each([
    ["goes on while its watcher lives", {}, "running", undefined],
    [
      "was interrupted by another boot",
      { boot: "another" },
      "interrupted",
      "the machine went down while it ran",
    ],
    [
      "was interrupted where its pid is another process's",
      { ticks: 1 },
      "interrupted",
      "rcron was killed while it ran, so nobody saw its end",
    ],
    [
      "was interrupted where there is no such process",
      { pid: 2 ** 22 + 1 },
      "interrupted",
      "rcron was killed while it ran, so nobody saw its end",
    ],
  ] as const)("%s", async (_, more, state, sentence) => {
    const folder = newFolder();
    journal(folder, start("a1", more));
    const [run] = (await ask(folder, everything)).answer;
    expect([run?.state, run?.sentence]).toEqual([state, sentence]);
  });

  test("is corrected by an end that comes late", async () => {
    const folder = newFolder();
    journal(folder, start("a1", { boot: "another" }));
    expect(await states(folder)).toEqual(["a1 interrupted"]);
    journal(folder, end("a1"));
    const [run] = (await ask(folder, everything)).answer;
    expect([run?.state, run?.sentence]).toEqual(["succeeded", undefined]);
  });

  test("counts once, as what it came to in the end", async () => {
    const folder = newFolder();
    journal(folder, start("a1"), end("a1"), start("a2", { boot: "another" }));
    expect(await totals(folder)).toEqual({ succeeded: 1, interrupted: 1 });
    journal(folder, end("a2", { ok: false, exit: 1 }));
    expect(await totals(folder)).toEqual({ succeeded: 1, failed: 1 });
    expect(await totals(folder)).toEqual({ succeeded: 1, failed: 1 });
  });
});

describe("a run on nodes without an end", () => {
  const elsewhere = "rcrond is not there: it goes on on its nodes, and the next rcrond finds it again";

  test.each([
    ["that is killed", { ticks: 1 }],
    ["whose machine went down", { boot: "another" }],
  ] as const)("goes on without a watcher %s, and is no failure", async (_, more) => {
    const folder = newFolder();
    journal(folder, start("a1", { ...more, onNodes: true }));
    const [run] = (await ask(folder, everything)).answer;
    expect([run?.state, run?.sentence]).toEqual(["interrupted", elsewhere]);
    const [job] = (await ask(folder, (queries) => queries.jobs())).answer;
    expect([job?.lastRun?.id, job?.failureStreak, job?.totals]).toEqual(["a1", 0, []]);
    expect((await ask(folder, (queries) => queries.jobNames())).answer).toEqual(["backup"]);
  });

  test("counts once, when its end comes: after the next watcher has taken it over, or without one", async () => {
    for (const isAdopted of [true, false]) {
      const folder = newFolder();
      const { pid, ticks } = start("a1");
      journal(folder, start("a1", { ticks: 1, onNodes: true }));
      expect(await states(folder)).toEqual(["a1 interrupted"]);
      if (isAdopted) {
        journal(folder, {
          kind: "adopt",
          run: "a1",
          at: nightMs,
          pid,
          ...(ticks !== undefined && { ticks }),
        });
        const [run] = (await ask(folder, everything)).answer;
        expect([run?.state, run?.sentence]).toEqual(["running", undefined]);
      }
      journal(folder, end("a1", { ok: false, exit: 3 }));
      expect(await totals(folder)).toEqual({ failed: 1 });
      const [run] = (await ask(folder, everything)).answer;
      expect([run?.state, run?.sentence]).toEqual(["failed", undefined]);
    }
  });

  test("of a later watcher that is gone as well, it still goes on", async () => {
    const folder = newFolder();
    const adopt = { kind: "adopt", run: "a1", at: nightMs, pid: process.pid } as const;
    journal(folder, start("a1", { ticks: 1, onNodes: true }));
    await states(folder);
    journal(folder, { ...adopt, ticks: 1 });
    const [run] = (await ask(folder, everything)).answer;
    expect([run?.state, run?.sentence]).toEqual(["interrupted", elsewhere]);
    expect(await totals(folder)).toEqual({});
  });
});

describe("a run that another watcher has taken over", () => {
  const self = start("a1");
  const adopt = { kind: "adopt", run: "a1", at: nightMs, pid: self.pid } as const;
  const marks = {
    ...(self.ticks !== undefined && { ticks: self.ticks }),
    ...(self.boot !== undefined && { boot: self.boot }),
  };

  test("goes on, whether or not it was taken for interrupted meanwhile", async () => {
    for (const isAskedBetween of [true, false]) {
      const folder = newFolder();
      journal(folder, start("a1", { ticks: 1 }));
      if (isAskedBetween) expect(await states(folder)).toEqual(["a1 interrupted"]);
      journal(folder, { ...adopt, ...marks });
      const [run] = (await ask(folder, everything)).answer;
      expect([run?.state, run?.sentence]).toEqual(["running", undefined]);
      expect(await totals(folder)).toEqual({});
      journal(folder, end("a1"));
      expect(await totals(folder)).toEqual({ succeeded: 1 });
    }
  });

  test("is interrupted when that one is gone as well, and ended by an end", async () => {
    const folder = newFolder();
    journal(folder, start("a1", { ticks: 1 }), { ...adopt, ...marks, ticks: 1 });
    expect(await states(folder)).toEqual(["a1 interrupted"]);
    journal(folder, end("a1", { ok: false, cause: "unseen" }), { ...adopt, ...marks });
    expect(await states(folder)).toEqual(["a1 failed"]);
  });
});

describe("what is asked", () => {
  const folder = newFolder();
  journal(
    folder,
    start("a1"),
    end("a1"),
    skip({ run: "s1" }),
    skip({ why: "overlap", run: "s2" }),
    // The clock was set back by an hour.
    start("a2", { at: nightMs - 3_600_000, tick: nightMs - 3_600_000 }),
    end("a2", { ok: false, exit: 1, ms: 5 }),
    start("b1", { job: "other" }),
    end("b1", { ok: false, cause: "signal", signal: 9 }),
    start("a3", { at: nightMs - 3_000_000 }),
  );

  test.each([
    [{ show: "usual" }, ["a1", "s2", "a2", "b1", "a3"]],
    [{ show: "usual", limit: 2 }, ["b1", "a3"]],
    [{ show: "failed" }, ["a2", "b1"]],
    [{ show: "failed", job: "backup" }, ["a2"]],
    [{ show: "skipped" }, ["s1", "s2"]],
    [{ show: "all" }, ["a1", "s1", "s2", "a2", "b1", "a3"]],
    [{ show: "usual", sinceMs: nightMs }, ["a1", "s2", "b1"]],
    [{ show: "usual", job: "no-such" }, []],
    [{ show: "usual", host: "alpha", limit: 1 }, ["a3"]],
    [{ show: "usual", host: "beta" }, []],
    [{ show: "usual", afterSeq: 5 }, ["a3"]],
  ] as const)("runs %p", async (filter, ids) => {
    const { answer } = await ask(folder, (queries) => queries.runs({ limit: 100, ...filter }));
    expect(answer.map(({ id }) => id)).toEqual([...ids]);
  });

  test("jobs, in the order of arrival whatever the clock said", async () => {
    const { answer } = await ask(folder, (queries) => queries.jobs());
    expect(
      answer.map(({ job, last, lastRun, lastSuccess, failureStreak, runningCount, typicalMs }) => [
        job,
        last.id,
        lastRun?.id,
        lastSuccess?.id,
        failureStreak,
        runningCount,
        typicalMs,
      ]),
    ).toEqual([
      ["backup", "a3", "a3", "a1", 1, 1, 12_000],
      ["other", "b1", "b1", undefined, 1, 0, undefined],
    ]);
  });

  test.each([
    ["a1", ["a1"]],
    ["a", ["a1", "a2"]],
    ["@3", ["s2"]],
    ["@99", []],
    ["", ["a1", "a2"]],
    ["%", []],
  ])("find(%p)", async (id, ids) => {
    const { answer } = await ask(folder, (queries) => queries.find(id));
    expect(answer.map((run) => run.id)).toEqual(ids);
  });

  test("every list walks an index that holds all that it asks for", async () => {
    await states(folder);
    const db = new Database(`${folder}/history.db`, { readonly: true });
    const numbers = { job: 1, cluster: 2, host: 3, sinceMs: 4, afterSeq: 5 };
    for (const filter of [{}, { job: 1 }, { sinceMs: 1 }, numbers]) {
      const { sql, values } = seqQuestion({ states: [0, 1, 2, 3, 5], limit: 20, ...filter });
      const plan = db.query(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[];
      const reads = plan.map(({ detail }) => detail).filter((detail) => / runs\b/.test(detail));
      expect(reads).toHaveLength(5);
      for (const detail of reads)
        expect(detail).toMatch(/^SEARCH runs USING COVERING INDEX runs_by_(state|job) /);
    }
    db.close();
  });
});

describe("pruning", () => {
  test("removes what is too old, but no run that goes on, or that a clock at 1970 has dated", async () => {
    const folder = newFolder();
    const old = Date.now() - 100 * 86_400_000;
    journal(
      folder,
      start("long", { at: old }),
      start("old", { at: old }),
      end("old"),
      skip({ run: "old-skip", at: old }),
      start("new", { at: Date.now() }),
      end("new"),
      start("unset", { at: 5 }),
      end("unset"),
    );
    const { answer } = await ask(folder, everything, { keepMs: 90 * 86_400_000 });
    expect(answer.map(({ id }) => id)).toEqual(["long", "new", "unset"]);
  });

  test("a clock that is wrong while somebody looks removes nothing", async () => {
    const folder = newFolder();
    journal(folder, start("run", { at: Date.now() }), end("run"));
    using _clock = spyOn(Date, "now").mockReturnValue(Date.now() + 100 * 86_400_000);
    const { answer } = await ask(folder, everything, { keepMs: 90 * 86_400_000 });
    expect(answer.map(({ id }) => id)).toEqual(["run"]);
  });

  test("keeps to the size, passed-over ticks first", async () => {
    const folder = newFolder();
    const sizeBytes = 1024 * 1024;
    const at = Date.now();
    for (let part = 0; part < 6; part++) {
      const numbers = Array.from({ length: 4000 }, (_, index) => part * 4000 + index);
      journal(
        folder,
        ...numbers.flatMap((number): RunEvent[] =>
          number % 4 === 0
            ? [start(`r${number}`, { at }), end(`r${number}`)]
            : [skip({ at, run: `s${number}` })],
        ),
      );
      await ask(folder, () => 0, { sizeBytes });
    }
    const { answer } = await ask(folder, everything, { sizeBytes });
    expect(statSync(`${folder}/history.db`).size).toBeLessThan(2 * sizeBytes);
    expect(answer.filter(({ state }) => state === "succeeded").length).toBeGreaterThan(2000);
  });
});

describe("a record that is not as it should be", () => {
  test.each([
    ["garbage", (path: string) => writeFileSync(path, "garbage ".repeat(1000))],
    [
      "a spoilt page",
      (path: string) => {
        const bytes = readFileSync(path);
        bytes.fill(0xab, 4096, bytes.length);
        writeFileSync(path, bytes);
      },
    ],
    [
      "another program's database",
      (path: string) => {
        rmSync(path);
        const db = new Database(path);
        db.run("CREATE TABLE theirs (a)");
        db.run("PRAGMA user_version = 1");
        db.close();
      },
    ],
  ] as const)("%s is moved aside, and begun anew from the journal", async (_, spoil) => {
    const folder = newFolder();
    journal(folder, start("a1"), end("a1"));
    for (let times = 0; times < 4; times++) {
      await states(folder);
      spoil(`${folder}/history.db`);
      const { answer, warnings } = await ask(folder, everything);
      expect(answer.map(({ id }) => id)).toEqual(["a1"]);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(
        /^the record's database was broken: it is .*\/history\.db\.broken-\S+ now, and begun anew$/,
      );
      await Bun.sleep(2);
    }
    expect(readdirSync(folder).filter((name) => name.includes("broken"))).toHaveLength(2);
  });

  test("a later version's database is left alone", async () => {
    const folder = newFolder();
    journal(folder, start("a1"));
    await states(folder);
    const db = new Database(`${folder}/history.db`);
    db.run("PRAGMA user_version = 99");
    db.close();
    const problem = await ask(folder, everything).catch((error) => error);
    expect([problem.code, problem.hint]).toEqual(["conflict", "a later rcron has written it: use that one"]);
  });

  test("one that somebody holds is waited for, and no longer than it should", async () => {
    const folder = newFolder();
    journal(folder, start("a1"));
    await states(folder);
    journal(folder, end("a1"));
    const db = new Database(`${folder}/history.db`);
    db.run("BEGIN IMMEDIATE");
    const begun = performance.now();
    const problem = await ask(folder, everything).catch((error) => error);
    expect(problem.code).toBe("conflict");
    expect(problem.message).toContain("is locked by another process");
    expect(performance.now() - begun).toBeLessThan(9000);
    db.run("ROLLBACK");
    db.close();
    expect(await states(folder)).toEqual(["a1 succeeded"]);
  }, 20_000);

  test("a file in the folder's place is a Problem", async () => {
    const folder = newFolder();
    writeFileSync(folder, "");
    const problem = await ask(folder, everything).catch((error) => error);
    expect(problem.message).toBe(`the record must be in a folder: ${folder} is none`);
  });

  test("what `use` throws is passed on", async () => {
    const folder = newFolder();
    journal(folder, start("a1"));
    const options = { host: "alpha", keepMs: 1e12, sizeBytes: 1e9 };
    const thrown = withHistory(folder, options, () => {
      throw new Error("mine");
    });
    await expect(thrown).rejects.toThrow("mine");
  });
});

describeWith("another user's record", ["root", "setpriv"], () => {
  test("is read without a change by root, and refused to others with a hint", async () => {
    const folder = newFolder();
    journal(folder, start("a1"));
    await states(folder);
    journal(folder, end("a1"));
    Bun.spawnSync(["chown", "-R", "65534:65534", folder]);
    const before = readdirSync(folder).map((name) => [name, statSync(`${folder}/${name}`).mtimeMs]);
    expect(await states(folder)).toEqual(["a1 succeeded"]);
    expect(readdirSync(folder).map((name) => [name, statSync(`${folder}/${name}`).mtimeMs])).toEqual(before);
  });
});

describeOnPrivateHost("a record on a disk of its own", ["dist/rcron"], () => {
  test("is read where nothing can be written: full, or read-only", async () => {
    const script = `
mkdir /mnt/disk
mount -t tmpfs -o size=512k,mode=700 tmpfs /mnt/disk
cd '${project}'
write() { '${process.execPath}' test/history/append-some.ts /mnt/disk "$1"; }
write 1
ctl() { timeout 20 /usr/bin/rcron --as rcronctl runs --json --history /mnt/disk 2>/mnt/errors | grep -c '"run": "run-'; cat /mnt/errors; }
ctl
write 2
head -c 600000 /dev/zero >/mnt/disk/ballast 2>/dev/null || :
ctl
rm /mnt/disk/ballast
write 3
mount -o remount,ro /mnt/disk
ctl
mount -o remount,rw /mnt/disk
ctl`;
    const { stdout, exitCode } = await onPrivateHost(script, 60_000);
    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toEqual([
      "1",
      "2",
      expect.stringMatching(/^rcronctl: warning: the record in \/mnt\/disk can't be written: /),
      "3",
      "rcronctl: warning: the record in /mnt/disk can't be written: read-only file system",
      "3",
    ]);
  }, 70_000);
});

test("chmod: a folder that its own user can't enter is a Problem with a hint", async () => {
  if (process.geteuid?.() === 0) return; // root enters everything
  const folder = newFolder();
  journal(folder, start("a1"));
  chmodSync(folder, 0);
  const problem = await ask(folder, everything).catch((error) => error);
  expect(problem.hint).toBe("run it as root, or as the user whose record it is");
});

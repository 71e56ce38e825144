import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { orderNow, readCurrent, type StateChange, writeState } from "../../src/election/election.ts";
import { Problem } from "../../src/model/problem.ts";
import { formatState, type Provenance } from "../../src/model/provenance.ts";
import { readBootId, readUptimeS } from "../../src/system/boot.ts";
import { describeWith } from "../support/debian.ts";
import { binary, project, run, temporaryFolder } from "../support/program.ts";

setDefaultTimeout(30_000);

const bootId = readBootId() ?? "";

function stage() {
  const folder = temporaryFolder();
  const stateFile = join(folder.path, "rcron.state");
  const change = (word: "active" | "passive", more: Partial<StateChange> = {}): StateChange => ({
    stateFile,
    word,
    writer: "keepalived/1/2",
    order: orderNow(),
    ...more,
  });
  return {
    path: folder.path,
    stateFile,
    change,
    /** What the file says before. */
    says: (word: "active" | "passive", provenance: Provenance) =>
      writeFileSync(stateFile, formatState(word, provenance)),
    text: () => readFileSync(stateFile, "utf8"),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

describe("writeState(): what is left behind", () => {
  test("the word, and where it comes from", async () => {
    using on = stage();
    const [beforeMs, beforeS] = [Date.now(), readUptimeS() ?? Number.NaN];
    const written = await writeState(
      on.change("active", { instance: "RCRON", event: "MASTER", order: { startTicks: 12, pid: 34 } }),
    );
    const {
      epoch = 0,
      sinceMs,
      writtenAtMs = 0,
      uptimeS,
      ...rest
    } = readCurrent(on.stateFile)?.provenance ?? {};
    expect(rest).toEqual({
      instance: "RCRON",
      event: "MASTER",
      writer: "keepalived/1/2",
      bootId,
      order: { startTicks: 12, pid: 34 },
    });
    expect(writtenAtMs).toBeWithin(beforeMs, Date.now() + 1);
    expect([epoch, sinceMs]).toEqual([writtenAtMs, writtenAtMs]);
    expect(uptimeS).toBeGreaterThanOrEqual(beforeS);
    expect(written).toMatchObject({
      isWritten: true,
      word: "active",
      previousWord: undefined,
      warning: undefined,
    });
    expect(on.text()).toStartWith("active\nepoch=");
  });

  test("a lease ends so long after it was written", async () => {
    using on = stage();
    await writeState(on.change("active", { validForMs: 90_000 }));
    const { writtenAtMs = 0, validUntilMs } = readCurrent(on.stateFile)?.provenance ?? {};
    expect(validUntilMs).toBe(writtenAtMs + 90_000);
    await writeState(on.change("active"));
    expect(on.text()).not.toContain("valid_until");
  });

  test("a file for all to read, in a folder for all to enter, whatever the umask", async () => {
    using on = stage();
    const umask = process.umask(0o077);
    const stateFile = join(on.path, "a/b/rcron.state");
    try {
      await writeState(on.change("passive", { stateFile }));
    } finally {
      process.umask(umask);
    }
    const modes = ["a", "a/b", "a/b/rcron.state"].map((path) => statSync(join(on.path, path)).mode & 0o777);
    expect(modes).toEqual([0o755, 0o755, 0o644]);
  });

  test("the mode of folders that were there is nobody's business, however the path is written", async () => {
    using on = stage();
    mkdirSync(join(on.path, "shut"), { mode: 0o700 });
    await writeState(on.change("passive", { stateFile: `${on.path}////shut/../shut////new/rcron.state` }));
    expect(statSync(join(on.path, "shut")).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(on.path, "shut/new")).sort()).toEqual([".rcron.state.lock", "rcron.state"]);
  });

  test("a new file each time: an open reader keeps the old word whole", async () => {
    using on = stage();
    on.says("passive", {});
    const { ino } = statSync(on.stateFile);
    await writeState(on.change("active"));
    expect(statSync(on.stateFile).ino).not.toBe(ino);
    expect(readdirSync(on.path).sort()).toEqual([".rcron.state.lock", "rcron.state"]);
  });

  test("through a folder that is a link, as /var/run is", async () => {
    using on = stage();
    mkdirSync(join(on.path, "run"));
    symlinkSync("run", join(on.path, "link"));
    await writeState(on.change("active", { stateFile: join(on.path, "link/rcron.state") }));
    expect(readFileSync(join(on.path, "run/rcron.state"), "utf8")).toStartWith("active\n");
  });
});

describe("writeState(): the epoch", () => {
  const dayMs = 86_400_000;

  test.each([
    ["passive" as const, undefined],
    ["active" as const, undefined],
  ])("a bare %s has none: the first one is the clock's", async (word) => {
    using on = stage();
    on.says(word, {});
    const beforeMs = Date.now();
    const { provenance, previousWord } = await writeState(on.change("active"));
    expect(provenance.epoch).toBeWithin(beforeMs, Date.now() + 1);
    expect(provenance.sinceMs).toBe(provenance.epoch as number);
    expect(previousWord).toBe(word);
  });

  test("the same word keeps its epoch, and since when it holds", async () => {
    using on = stage();
    on.says("active", { epoch: 41, sinceMs: 1000 });
    const { provenance } = await writeState(on.change("active"));
    expect(provenance).toMatchObject({ epoch: 41, sinceMs: 1000 });
    expect(provenance.writtenAtMs).toBeGreaterThan(1000);
  });

  test("another word has a new one", async () => {
    using on = stage();
    on.says("passive", { epoch: 41, sinceMs: 1000 });
    const beforeMs = Date.now();
    const { provenance } = await writeState(on.change("active"));
    expect(provenance.epoch).toBeWithin(beforeMs, Date.now() + 1);
    expect(provenance.sinceMs).toBe(provenance.epoch as number);
  });

  test("a clock that is behind the last one: one more than that", async () => {
    using on = stage();
    const ahead = Date.now() + dayMs;
    on.says("passive", { epoch: ahead });
    expect((await writeState(on.change("active"))).provenance.epoch).toBe(ahead + 1);
    expect((await writeState(on.change("active"))).provenance.epoch).toBe(ahead + 1);
    expect((await writeState(on.change("passive"))).provenance.epoch).toBe(ahead + 2);
  });

  test("a new term of the same word has a new one, and begins now", async () => {
    using on = stage();
    const ahead = Date.now() + dayMs;
    on.says("active", { epoch: ahead, sinceMs: 1000 });
    const { provenance, previousWord } = await writeState(on.change("active", { isNewTerm: true }));
    expect(provenance.epoch).toBe(ahead + 1);
    expect(provenance.sinceMs).toBeGreaterThan(1000);
    expect(previousWord).toBe("active");
  });

  test("two changes within a millisecond have two", async () => {
    using on = stage();
    const epochs: number[] = [];
    for (const word of ["active", "passive", "active", "passive"] as const) {
      epochs.push((await writeState(on.change(word))).provenance.epoch ?? 0);
    }
    expect(new Set(epochs).size).toBe(4);
    expect(epochs.toSorted((a, b) => a - b)).toEqual(epochs);
  });
});

describe("writeState(): MASTER_RX_LOWER_PRI, which comes with every advert", () => {
  const startMs = Date.parse("2026-11-21T11:00:00Z");
  /** So far ahead of the clock is the epoch of its term. */
  const headStartMs = 250;
  /** Tells events at moments, in milliseconds from the start; a new order each, as scripts have. */
  function split(more: Partial<StateChange> = {}) {
    const on = stage();
    let nowMs = startMs;
    const tell = (at: number, event: string, its: Partial<StateChange> = {}) => {
      nowMs = startMs + at;
      const isNewTerm = event === "MASTER_RX_LOWER_PRI";
      const word = event.startsWith("MASTER") ? "active" : "passive";
      return writeState(
        on.change(word, { instance: "RCRON", event, isNewTerm, ...more, ...its }),
        () => nowMs,
      );
    };
    return {
      ...on,
      tell,
      heard: (at: number, its?: Partial<StateChange>) => tell(at, "MASTER_RX_LOWER_PRI", its),
    };
  }

  test("the first one is written, a repeat within ten seconds is not, and one after that is", async () => {
    using on = split();
    await on.tell(0, "MASTER");
    const first = await on.heard(1000);
    expect(first).toMatchObject({
      isWritten: true,
      isRepeat: false,
      provenance: { epoch: startMs + 1000 + headStartMs, sinceMs: startMs + 1000 },
    });
    const { ino } = statSync(on.stateFile);
    const before = on.text();
    for (const at of [1000, 2000, 6000, 10_999]) {
      const repeat = await on.heard(at);
      expect(repeat).toEqual({ ...first, isRepeat: true, previousWord: "active" });
    }
    expect([on.text(), statSync(on.stateFile).ino]).toEqual([before, ino]);
    const next = await on.heard(11_000);
    expect(next).toMatchObject({ isRepeat: false, provenance: { epoch: startMs + 11_000 + headStartMs } });
    expect((await on.heard(12_000)).isRepeat).toBe(true);
  });

  test.each(["MASTER", "BACKUP", "FAULT"])("one after %s is written", async (between) => {
    using on = split();
    await on.heard(0);
    await on.tell(1000, between);
    expect(await on.heard(2000)).toMatchObject({
      isRepeat: false,
      provenance: { epoch: startMs + 2000 + headStartMs },
    });
  });

  test("a head start: the other host's word has the lower epoch, the word of the next failover a higher one", async () => {
    using stays = split();
    await stays.tell(0, "MASTER");
    const { epoch = 0, sinceMs, writtenAtMs } = (await stays.heard(1000)).provenance;
    expect([sinceMs, writtenAtMs]).toEqual([startMs + 1000, startMs + 1000]);
    // Each by a host that has written nothing but BACKUP before, as the other side of a split.
    const epochOfOther = async (at: number) => {
      using other = split();
      await other.tell(0, "BACKUP");
      return (await other.tell(at, "MASTER")).provenance.epoch ?? 0;
    };
    for (const at of [990, 1000, 1001, 1000 + headStartMs - 1]) {
      expect(await epochOfOther(at), `at ${at}`).toBeLessThan(epoch);
    }
    // In the last millisecond it is shared.
    expect(await epochOfOther(1000 + headStartMs)).toBe(epoch);
    for (const at of [1000 + headStartMs + 1, 1610, 4000]) {
      expect(await epochOfOther(at), `at ${at}`).toBeGreaterThan(epoch);
    }
  });

  test("a clock that was stepped back drops none for ever: the next one is written, with a higher epoch", async () => {
    using on = split();
    await on.heard(0);
    const back = await on.heard(-86_400_000);
    expect(back).toMatchObject({ isRepeat: false, provenance: { epoch: startMs + headStartMs + 1 } });
    expect((await on.heard(-86_395_000)).isRepeat).toBe(true);
    expect(await on.heard(-86_390_000)).toMatchObject({
      isRepeat: false,
      provenance: { epoch: startMs + headStartMs + 2 },
    });
  });

  test("a clock that was stepped forward writes one too many, and no more", async () => {
    using on = split();
    await on.heard(0);
    expect((await on.heard(3_600_000)).isRepeat).toBe(false);
    expect((await on.heard(3_601_000)).isRepeat).toBe(true);
  });

  test.each<[string, Partial<StateChange>]>([
    ["another instance's", { instance: "OTHER" }],
    ["another keepalived's", { writer: "keepalived/3/4" }],
    ["a person's new epoch", { event: undefined }],
    ["one that brings a lease", { validForMs: 60_000 }],
  ])("%s is no repeat", async (_, its) => {
    using on = split();
    await on.heard(0);
    expect(await on.heard(1000, its)).toMatchObject({ isWritten: true, isRepeat: false });
  });

  test("a lease is lengthened when half of it is over", async () => {
    using on = split({ validForMs: 8000 });
    await on.heard(0);
    expect((await on.heard(3999)).isRepeat).toBe(true);
    expect(await on.heard(4000)).toMatchObject({
      isRepeat: false,
      provenance: { validUntilMs: startMs + 12_000 },
    });
  });

  test("one that has been overtaken is told so", async () => {
    using on = split();
    await on.heard(0);
    const order = { startTicks: orderNow().startTicks - 100, pid: 1 };
    expect(await on.heard(1000, { order })).toMatchObject({ isWritten: false, isRepeat: false });
  });

  test("without a state file it is written: what was removed comes back", async () => {
    using on = split();
    await on.heard(0);
    rmSync(on.stateFile);
    expect((await on.heard(1000)).isRepeat).toBe(false);
    expect(readCurrent(on.stateFile)?.word).toBe("active");
  });
});

describe("writeState(): the order of writers", () => {
  const now = orderNow();
  const { startTicks, pid } = now;
  const own = { startTicks: startTicks - 100, pid: 1000 };

  test.each([
    ["was started a tick later", { startTicks: own.startTicks + 1, pid: 1 }],
    ["was started in the same tick, with a higher pid", { startTicks: own.startTicks, pid: 1001 }],
    ["was started just now", { startTicks, pid }],
  ])("one that %s has overtaken", async (_, order) => {
    using on = stage();
    on.says("passive", { epoch: 41, order, bootId, writer: "other/1/2" });
    const before = on.text();
    const written = await writeState(on.change("active", { order: own }));
    expect(written).toMatchObject({ isWritten: false, word: "passive", previousWord: "passive" });
    expect(written.provenance).toEqual({ epoch: 41, order, bootId, writer: "other/1/2" });
    expect(on.text()).toBe(before);
  });

  test.each([
    ["was started earlier", { order: { startTicks: own.startTicks - 1, pid: 4_000_000 }, bootId }],
    ["was started in the same tick, with a lower pid", { order: { ...own, pid: 999 }, bootId }],
    ["is the same", { order: own, bootId }],
    ["is of another boot", { order: now, bootId: "00000000-0000-0000-0000-000000000000" }],
    ["does not tell its boot", { order: now }],
    ["tells no order", { bootId }],
    [
      "claims to have been started in the future",
      { order: { startTicks: startTicks + 10 ** 9, pid }, bootId },
    ],
  ])("one that %s has not", async (_, provenance) => {
    using on = stage();
    on.says("passive", provenance);
    const written = await writeState(on.change("active", { order: own }));
    expect([written.isWritten, readCurrent(on.stateFile)?.word]).toEqual([true, "active"]);
  });

  test.each([
    ["is gone", undefined],
    ["is empty", ""],
    ["has another word", `inactive\nboot_id=${bootId}\norder=${startTicks}/${pid}\n`],
  ])("a state file that %s orders nobody", async (_, content) => {
    using on = stage();
    if (content !== undefined) writeFileSync(on.stateFile, content);
    const written = await writeState(on.change("active", { order: own }));
    expect(written).toMatchObject({ isWritten: true, previousWord: undefined });
    expect(on.text()).toStartWith("active\n");
  });
});

describe("writeState(): what is in the way", () => {
  const refusal = (change: StateChange) => writeState(change).catch((error: unknown) => error);

  test("a symlink in the lock's place is not followed: a warning, and the word is written", async () => {
    using on = stage();
    symlinkSync(join(on.path, "precious"), join(on.path, ".rcron.state.lock"));
    const written = await writeState(on.change("active"));
    expect(written.warning).toBe(
      `no lock on ${on.path}/.rcron.state.lock: too many levels of symbolic links: going on without`,
    );
    expect(on.text()).toStartWith("active\n");
    expect(existsSync(join(on.path, "precious"))).toBe(false);
  });

  test("a symlink in the state file's place is replaced, and its target left alone", async () => {
    using on = stage();
    writeFileSync(join(on.path, "precious"), "precious");
    symlinkSync("precious", on.stateFile);
    await writeState(on.change("active"));
    expect(readFileSync(join(on.path, "precious"), "utf8")).toBe("precious");
    expect(on.text()).toStartWith("active\n");
  });

  test("a folder: a Problem, and nothing is left behind", async () => {
    using on = stage();
    mkdirSync(on.stateFile);
    expect(await refusal(on.change("active"))).toMatchObject({
      code: "internal",
      message: `${on.stateFile} must be writable: is a directory`,
    });
    expect(readdirSync(on.path).sort()).toEqual([".rcron.state.lock", "rcron.state"]);
  });

  test("a FIFO: a Problem, and it stays", async () => {
    using on = stage();
    Bun.spawnSync(["mkfifo", on.stateFile]);
    const refused = await refusal(on.change("active"));
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({
      code: "invalid",
      message: expect.stringContaining("must be a regular file"),
    });
    expect(statSync(on.stateFile).isFIFO()).toBe(true);
  });

  test("a file where a folder should be: a Problem", async () => {
    using on = stage();
    writeFileSync(join(on.path, "file"), "");
    const refused = await refusal(on.change("active", { stateFile: join(on.path, "file/rcron.state") }));
    expect(refused).toMatchObject({ code: "internal", message: expect.stringContaining("must be writable") });
  });
});

describeWith("writeState() beside one that hangs", ["flock"], () => {
  test("goes on without the lock after a while, and warns", async () => {
    using on = stage();
    const held = join(on.path, "held");
    const lockFile = join(on.path, ".rcron.state.lock");
    const hung = Bun.spawn(["flock", "--no-fork", lockFile, "sh", "-c", `: >'${held}'; exec sleep 60`]);
    try {
      while (!existsSync(held)) await Bun.sleep(2);
      const written = await writeState(on.change("active"));
      expect(written.warning).toBe(
        `no lock on ${lockFile}: somebody else has held it for 500 ms: going on without`,
      );
      expect(on.text()).toStartWith("active\n");
    } finally {
      hung.kill("SIGKILL");
      await hung.exited;
    }
  });
});

const unbuilt = existsSync(binary) ? undefined : "needs dist/rcron (npm run build)";
describe.skipIf(unbuilt !== undefined)(`writers at once${unbuilt ? ` [skipped: ${unbuilt}]` : ""}`, () => {
  test("a reader sees whole contents alone, and epochs that never fall, while eight write 128 times", async () => {
    using on = stage();
    const rcronctl = join(project, "dist/rcronctl");
    const set = (word: string) => `'${rcronctl}' state set ${word} --state-file '${on.stateFile}' >/dev/null`;
    const line = `for i in 1 2 3 4 5 6 7 8; do ${set("active")}; ${set("passive")}; done`;
    await writeState(on.change("passive"));
    let writing = true;
    const writers = Array.from({ length: 8 }, () => run(["sh", "-euc", line], { timeoutMs: 25_000 }));
    const ended = Promise.all(writers).finally(() => {
      writing = false;
    });
    const whole =
      /^(active|passive)\nepoch=(\d+)\n(instance=.*\n)?(event=.*\n)?writer=.+\nboot_id=.{36}\nsince=.{24}\nwritten_at=.{24}\nuptime=\d+\.\d\d\norder=\d+\/\d+\n$/;
    const words = new Set<string>();
    let lastEpoch = 0;
    while (writing) {
      for (let reads = 0; reads < 100; reads++) {
        const [, word = "", epoch] = whole.exec(on.text()) ?? [on.text()];
        words.add(word);
        expect(Number(epoch)).toBeGreaterThanOrEqual(lastEpoch);
        lastEpoch = Number(epoch);
      }
      await Bun.sleep(0);
    }
    expect((await ended).map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(
      writers.map(() => [0, ""]),
    );
    expect([...words].sort()).toEqual(["active", "passive"]);
    expect(readdirSync(on.path).sort()).toEqual([".rcron.state.lock", "rcron.state"]);
  });
});

/** The reader of keepalived's FIFO: events by hand, real state files, and a real process in keepalived's place. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type FollowTarget,
  follow,
  orderNow,
  readCurrent,
  type Written,
  writeState,
} from "../../src/election/election.ts";
import { formatState, nameWriter, type Provenance } from "../../src/model/provenance.ts";
import { readBootId } from "../../src/system/boot.ts";
import { findProcess } from "../../src/system/other-processes.ts";
import { temporaryFolder } from "../support/program.ts";

setDefaultTimeout(20_000);

const bootId = readBootId() ?? "";
const self = nameWriter(findProcess(process.pid) ?? { name: "", pid: 0, startTicks: 0 });

interface StageOptions {
  readonly targets?: readonly Omit<FollowTarget, "stateFile">[];
  readonly validForMs?: number;
  readonly renewMs?: number;
  readonly now?: () => number;
  /** What the state file of the first target says before. */
  readonly before?: (keepalived: string) => string;
}

/** A reader that follows; its state file is `RCRON.state`, or `NAME.state` for each target. */
function stage({ targets, validForMs, renewMs, now, before }: StageOptions = {}) {
  const folder = temporaryFolder();
  const child = Bun.spawn(["sleep", "60"]);
  const keepalived = findProcess(child.pid);
  if (keepalived === undefined) throw new Error("the process that was just started must be in /proc");
  const file = (name: string) => join(folder.path, `${name}.state`);
  if (before !== undefined) writeFileSync(file("RCRON"), before(nameWriter(keepalived)));
  const events = new Events();
  const written: Written[] = [];
  const troubles: string[] = [];
  const putBack: string[] = [];
  const ended = follow({
    events,
    putBack: (text) => putBack.push(text),
    targets: (targets ?? [{ kind: "INSTANCE", name: "RCRON" }]).map((each) => ({
      ...each,
      stateFile: file(each.name),
    })),
    keepalived,
    validForMs,
    renewMs,
    onWritten: (_, what) => written.push(what),
    onTrouble: (sentence) => troubles.push(sentence),
    ...(now && { now }),
  });
  return {
    folder: folder.path,
    file,
    child,
    keepalived: nameWriter(keepalived),
    events,
    written,
    troubles,
    putBack,
    ended,
    now: (name = "RCRON") => readCurrent(file(name)),
    word: (name = "RCRON") => readCurrent(file(name))?.word,
    async [Symbol.asyncDispose]() {
      events.end();
      child.kill("SIGKILL");
      await child.exited;
      await ended;
      folder[Symbol.dispose]();
    },
  };
}

/** The FIFO's bytes, piece by piece. */
class Events implements AsyncIterable<Uint8Array> {
  readonly #pieces: Uint8Array[] = [];
  #isEnded = false;
  #wake: () => void = () => {};

  say(...lines: string[]): void {
    this.piece(lines.map((line) => `${line}\n`).join(""));
  }

  piece(text: string | Uint8Array): void {
    this.#pieces.push(typeof text === "string" ? new TextEncoder().encode(text) : text);
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) yield piece;
      else if (this.#isEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

async function until(claim: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 8000; !holds(); await Bun.sleep(2)) {
    if (Date.now() > deadline) throw new Error(`never happened: ${claim}`);
  }
}

describe("follow(): events", () => {
  test("become words, and what was told stands behind them", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    expect(on.now()?.provenance).toMatchObject({
      instance: "RCRON",
      event: "MASTER",
      writer: `${on.keepalived} ${self}`,
      bootId,
    });
    expect(on.now()?.provenance).not.toHaveProperty("validUntilMs");
    on.events.say('INSTANCE "RCRON" FAULT 100');
    await until("passive", () => on.word() === "passive");
    expect(on.now()?.provenance.event).toBe("FAULT");
    expect(on.troubles).toEqual([]);
  });

  test("in their order, however many come at once, and however they are cut", async () => {
    await using on = stage();
    const lines = Array.from(
      { length: 60 },
      (_, at) => `INSTANCE "RCRON" ${at % 2 === 0 ? "MASTER" : "BACKUP"} 100\n`,
    );
    const text = lines.join("");
    for (let at = 0; at < text.length; at += 7) on.events.piece(text.slice(at, at + 7));
    await until("all are written", () => on.written.length === 60);
    expect(on.written.map(({ word }) => word)).toEqual(
      lines.map((_, at) => (at % 2 === 0 ? "active" : "passive")),
    );
    const epochs = on.written.map(({ provenance }) => provenance.epoch ?? 0);
    expect(epochs.every((epoch, at) => at === 0 || epoch > (epochs[at - 1] ?? 0))).toBe(true);
    expect(on.word()).toBe("passive");
  });

  test("of each instance and group to its own file; the names of others are passed over", async () => {
    await using on = stage({
      targets: [
        { kind: "INSTANCE", name: "WEB" },
        { kind: "GROUP", name: "DB" },
      ],
    });
    on.events.say(
      'GROUP "WEB" MASTER 0',
      'INSTANCE "DB" MASTER 100',
      'INSTANCE "OTHER" MASTER 100',
      "VS [192.0.2.10]:tcp:80 UP",
      'INSTANCE "WEB" MASTER 100',
      'GROUP "DB" BACKUP 0',
    );
    await until("both are written", () => on.written.length === 2);
    expect([on.word("WEB"), on.word("DB")]).toEqual(["active", "passive"]);
    expect(on.now("DB")?.provenance).toMatchObject({ instance: "DB", event: "BACKUP" });
    expect(on.troubles).toEqual([]);
  });

  test("that can't be understood change no word, and are told", async () => {
    await using on = stage();
    on.events.say(
      'INSTANCE "RCRON" MASTER 100',
      'INSTANCE "RCRON" LEADER 100',
      "\x1b[2J",
      'INSTANCE "RCRON"',
    );
    await until("all are told", () => on.troubles.length === 3);
    expect(on.word()).toBe("active");
    expect(on.written).toHaveLength(1);
    for (const trouble of on.troubles) {
      expect(trouble).toEndWith(": no word changes");
      expect(trouble).not.toMatch(/[\x00-\x1f]/);
    }
  });

  test("behind a line that is too long are understood, and it is told once", async () => {
    await using on = stage();
    for (let at = 0; at < 50; at++) on.events.piece("x".repeat(100));
    on.events.piece(' INSTANCE "RCRON" BACKUP 100\nINSTANCE "RCRON" MASTER 100\n');
    await until("active", () => on.word() === "active");
    expect(on.troubles).toEqual(["a line must not be longer than 1024 characters: left out"]);
    expect(on.written).toHaveLength(1);
  });

  test("a line without its end is none", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    on.events.piece('INSTANCE "RCRON" BACKUP 1');
    on.events.end();
    await on.ended;
    expect(on.word()).toBe("active");
  });

  test("bytes that are no text, in the middle of a character or alone, are no words", async () => {
    await using on = stage();
    const bytes = new TextEncoder().encode('INSTANCE "Ü" BACKUP 100\n');
    on.events.piece(bytes.slice(0, 11));
    on.events.piece(bytes.slice(11));
    on.events.piece(Uint8Array.from([0xff, 0x0a]));
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    expect(on.troubles).toHaveLength(1);
  });

  test("MASTER again is the same epoch; MASTER_RX_LOWER_PRI is a new one", async () => {
    await using on = stage();
    const epochAfter = async (event: string, count: number) => {
      on.events.say(`INSTANCE "RCRON" ${event} 100`);
      await until(event, () => on.written.length === count);
      return on.now()?.provenance.epoch ?? 0;
    };
    const first = await epochAfter("MASTER", 1);
    expect(await epochAfter("MASTER", 2)).toBe(first);
    expect(await epochAfter("MASTER_RX_LOWER_PRI", 3)).toBeGreaterThan(first);
    expect(on.word()).toBe("active");
  });
});

describe("follow(): MASTER_RX_LOWER_PRI, which comes with every advert in a one-way split", () => {
  const startMs = Date.parse("2026-11-21T11:00:00Z");
  const lower = 'INSTANCE "RCRON" MASTER_RX_LOWER_PRI 100';
  /** Has a clock that stands until it is set, in milliseconds from the start. */
  function split(options: StageOptions = {}) {
    let nowMs = startMs;
    const on = stage({
      targets: [
        { kind: "INSTANCE", name: "RCRON" },
        { kind: "INSTANCE", name: "NEXT" },
      ],
      now: () => nowMs,
      ...options,
    });
    let turn = 0;
    return {
      on,
      /** Tells these lines at that moment, and waits until they have been dealt with. */
      async at(ms: number, ...lines: string[]): Promise<string> {
        nowMs = startMs + ms;
        turn++;
        on.events.say(...lines, `INSTANCE "NEXT" ${turn % 2 === 0 ? "BACKUP" : "MASTER"} 100`);
        await until("they are read", () => on.now("NEXT")?.word === (turn % 2 === 0 ? "passive" : "active"));
        return readFileSync(on.file("RCRON"), "utf8");
      },
      /** The events that were written and told, with their epochs: MASTER_RX_LOWER_PRI has a head start of 250 ms. */
      told: () =>
        on.written
          .filter(({ provenance }) => provenance.instance === "RCRON")
          .map(({ provenance: { event, epoch = 0 } }) => `${event} ${epoch - startMs}`),
      async [Symbol.asyncDispose]() {
        await on[Symbol.asyncDispose]();
      },
    };
  }

  test("the first one is written; repeats within ten seconds are neither written nor told; the next one is", async () => {
    await using its = split();
    await its.at(0, 'INSTANCE "RCRON" MASTER 100');
    const first = await its.at(1000, lower);
    expect(await its.at(2000, lower, lower, lower)).toBe(first);
    expect(await its.at(10_999, lower)).toBe(first);
    expect(await its.at(11_000, lower, lower)).not.toBe(first);
    expect(its.told()).toEqual(["MASTER 0", "MASTER_RX_LOWER_PRI 1250", "MASTER_RX_LOWER_PRI 11250"]);
  });

  test("one after another event is written", async () => {
    await using its = split();
    await its.at(0, lower);
    await its.at(1000, 'INSTANCE "RCRON" MASTER 100', lower);
    await its.at(2000, 'INSTANCE "RCRON" BACKUP 100', 'INSTANCE "RCRON" MASTER 100');
    await its.at(3000, lower);
    expect(its.told()).toEqual([
      "MASTER_RX_LOWER_PRI 250",
      "MASTER 250",
      "MASTER_RX_LOWER_PRI 1250",
      "BACKUP 2000",
      "MASTER 2001",
      "MASTER_RX_LOWER_PRI 3250",
    ]);
  });

  test("a clock that was stepped back drops none for ever", async () => {
    await using its = split();
    await its.at(0, lower);
    await its.at(-3_600_000, lower);
    await its.at(-3_599_000, lower);
    await its.at(-3_590_000, lower);
    expect(its.told().map((line) => line.split(" ")[1])).toEqual(["250", "251", "252"]);
  });

  test("renewals put the next term off no further", async () => {
    await using its = split({ validForMs: 60_000, renewMs: 10 });
    await its.at(0, lower);
    await its.at(9000, lower);
    await until("it is renewed", () => its.on.now()?.provenance.writtenAtMs === startMs + 9000);
    await its.at(10_000, lower);
    expect(its.told()).toEqual(["MASTER_RX_LOWER_PRI 250", "MASTER_RX_LOWER_PRI 10250"]);
  });

  test("one after a word of somebody else is written", async () => {
    await using its = split();
    await its.at(0, lower);
    await writeState({ stateFile: its.on.file("RCRON"), word: "passive", writer: "jane", order: orderNow() });
    await its.at(1000, lower);
    expect(its.on.word()).toBe("active");
    expect(its.told()).toHaveLength(2);
  });
});

describe("follow(): the end of the FIFO", () => {
  test("keepalived lives on, as at a reload: the word stays, and it alone stands behind it", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    const before = on.now()?.provenance;
    on.events.end();
    await on.ended;
    expect(on.now()).toEqual({
      word: "active",
      provenance: { ...before, writer: on.keepalived } as Provenance,
    });
    expect(on.troubles).toEqual([]);
    expect(on.written).toHaveLength(1);
  });

  test("keepalived is dead, and nothing was said of it: active becomes passive", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    const epoch = on.now()?.provenance.epoch ?? 0;
    on.child.kill("SIGKILL");
    on.events.end();
    await on.ended;
    expect(on.now()).toMatchObject({ word: "passive", provenance: { event: "LOST", instance: "RCRON" } });
    expect(on.now()?.provenance.epoch).toBeGreaterThan(epoch);
    expect(on.written.map(({ word }) => word)).toEqual(["active", "passive"]);
    expect(on.troubles).toEqual([
      `keepalived is gone without a word: ${on.file("RCRON")} said active, and says passive now`,
    ]);
  });

  test("the FIFO ends a moment before keepalived does: active becomes passive all the same", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    on.events.end();
    await Bun.sleep(50);
    on.child.kill("SIGKILL");
    await on.ended;
    expect(on.word()).toBe("passive");
  });

  test.each(["STOP", "DELETED", "FAULT", "BACKUP"])(
    "keepalived is dead after %s: nothing to say",
    async (event) => {
      await using on = stage();
      on.events.say('INSTANCE "RCRON" MASTER 100', `INSTANCE "RCRON" ${event} 100`);
      await until("passive", () => on.word() === "passive");
      const before = readFileSync(on.file("RCRON"), "utf8");
      on.child.kill("SIGKILL");
      on.events.end();
      await on.ended;
      expect(readFileSync(on.file("RCRON"), "utf8")).toBe(before);
      expect(on.troubles).toEqual([]);
    },
  );

  test("a word that somebody else wrote meanwhile is theirs", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    writeFileSync(on.file("RCRON"), "active\nwriter=jane\n");
    on.child.kill("SIGKILL");
    on.events.end();
    await on.ended;
    expect(readFileSync(on.file("RCRON"), "utf8")).toBe("active\nwriter=jane\n");
  });

  test("nothing was ever said: no file is made", async () => {
    await using on = stage();
    on.child.kill("SIGKILL");
    on.events.end();
    await on.ended;
    expect(existsSync(on.file("RCRON"))).toBe(false);
    expect(on.troubles).toEqual([]);
  });
});

describe("follow(): the next reader", () => {
  const left = (writer: string) =>
    formatState("active", { epoch: 41, sinceMs: 1000, instance: "RCRON", event: "MASTER", writer, bootId });

  test("adopts the word that this keepalived's former reader left", async () => {
    await using on = stage({ before: left });
    await until("it is adopted", () => on.now()?.provenance.writer === `${on.keepalived} ${self}`);
    expect(on.now()).toMatchObject({
      word: "active",
      provenance: { epoch: 41, sinceMs: 1000, event: "MASTER" },
    });
    on.child.kill("SIGKILL");
    on.events.end();
    await on.ended;
    expect(on.now()).toMatchObject({ word: "passive", provenance: { event: "LOST", instance: "RCRON" } });
  });

  test("adopts it also from a reader that has not left yet, which then leaves it alone", async () => {
    await using on = stage({ before: (keepalived) => left(`${keepalived} rcronctl/7/8`) });
    await until("it is adopted", () => on.now()?.provenance.writer === `${on.keepalived} ${self}`);
  });

  test.each([
    ["another keepalived's", "keepalived/7/8"],
    ["a person's", "jane"],
  ])("leaves %s word as it is", async (_, writer) => {
    await using on = stage({ before: () => left(writer) });
    on.events.end();
    await on.ended;
    expect(readFileSync(on.file("RCRON"), "utf8")).toBe(left(writer));
  });

  test("renews a word that it adopted", async () => {
    await using on = stage({ before: left, validForMs: 60_000, renewMs: 30 });
    await until("it has an end", () => on.now()?.provenance.validUntilMs !== undefined);
    expect(on.now()).toMatchObject({
      word: "active",
      provenance: { epoch: 41, sinceMs: 1000, event: "MASTER" },
    });
  });
});

describe("follow(): keepalived is dead, and its successor writes to the same FIFO", () => {
  test("its events are put back for the next reader, in their order, and no more are read", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    on.child.kill("SIGKILL");
    await on.child.exited;
    on.events.say('INSTANCE "OTHER" MASTER 100', 'INSTANCE "RCRON" MASTER 100');
    await on.ended;
    expect(on.putBack).toEqual(['INSTANCE "OTHER" MASTER 100\nINSTANCE "RCRON" MASTER 100\n']);
    // No word of the dead one stays, and the successor's is its own reader's to write.
    expect(on.now()).toMatchObject({ word: "passive", provenance: { event: "LOST" } });
  });

  test("its own last word, read late, is written as well: STOP is no loss", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    on.child.kill("SIGKILL");
    await on.child.exited;
    on.events.say('INSTANCE "RCRON" STOP 100');
    await on.ended;
    expect(on.putBack).toEqual(['INSTANCE "RCRON" STOP 100\n']);
    expect(on.now()).toMatchObject({ word: "passive", provenance: { event: "STOP" } });
    expect(on.troubles).toEqual([]);
  });
});

describe("follow(): two readers of one keepalived", () => {
  const left = (writer: string) => formatState("passive", { event: "BACKUP", writer, bootId });

  test("what the former one wrote after this one came is adopted when that one is gone", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    writeFileSync(on.file("RCRON"), left(`${on.keepalived} rcronctl/4194305/7`));
    await until("it is adopted", () => on.now()?.provenance.writer === `${on.keepalived} ${self}`);
    expect(on.now()).toMatchObject({ word: "passive", provenance: { event: "BACKUP" } });
  });

  test("what one writes that lives is its own", async () => {
    await using on = stage({ renewMs: 20 });
    const other = Bun.spawn(["sleep", "60"]);
    const writer = `${on.keepalived} ${nameWriter(findProcess(other.pid) ?? { name: "", pid: 0, startTicks: 0 })}`;
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    await writeState({ stateFile: on.file("RCRON"), word: "passive", writer, order: orderNow() });
    const before = readFileSync(on.file("RCRON"), "utf8");
    await Bun.sleep(100);
    expect(readFileSync(on.file("RCRON"), "utf8")).toBe(before);
    other.kill("SIGKILL");
    await other.exited;
    await until("it is adopted", () => on.now()?.provenance.writer === `${on.keepalived} ${self}`);
  });
});

describe("follow(): renewal", () => {
  const renewals = { validForMs: 60_000, renewMs: 30 };
  const writtenAt = (on: ReturnType<typeof stage>) => on.now()?.provenance.writtenAtMs ?? 0;

  test("an active word has an end, which moves on; nothing else changes, and no line is logged", async () => {
    await using on = stage(renewals);
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    const first = on.now()?.provenance ?? {};
    expect(first.validUntilMs).toBe((first.writtenAtMs ?? 0) + 60_000);
    await until("it is renewed", () => writtenAt(on) > (first.writtenAtMs ?? 0));
    const { epoch, sinceMs, writtenAtMs = 0, validUntilMs, ...rest } = on.now()?.provenance ?? {};
    expect([epoch, sinceMs, validUntilMs]).toEqual([first.epoch, first.sinceMs, writtenAtMs + 60_000]);
    expect(rest).toMatchObject({ event: "MASTER", instance: "RCRON", writer: first.writer as string });
    expect(on.written).toHaveLength(1);
  });

  test("a passive word has no end, and is renewed for the sake of its age", async () => {
    await using on = stage(renewals);
    on.events.say('INSTANCE "RCRON" BACKUP 100');
    await until("passive", () => on.word() === "passive");
    const first = writtenAt(on);
    await until("it is renewed", () => writtenAt(on) > first);
    expect(on.now()?.provenance).not.toHaveProperty("validUntilMs");
  });

  test("a stopped keepalived decides nothing: no renewal until it goes on", async () => {
    await using on = stage(renewals);
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    on.child.kill("SIGSTOP");
    await until("it is stopped", () => readFileSync(`/proc/${on.child.pid}/stat`, "utf8").includes(") T "));
    await Bun.sleep(40); // for a renewal that was under way
    const stopped = readFileSync(on.file("RCRON"), "utf8");
    await Bun.sleep(200);
    expect(readFileSync(on.file("RCRON"), "utf8")).toBe(stopped);
    on.child.kill("SIGCONT");
    await until("it is renewed", () => readFileSync(on.file("RCRON"), "utf8") !== stopped);
  });

  test("a word that a person wrote holds until the next event", async () => {
    await using on = stage(renewals);
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    await writeState({ stateFile: on.file("RCRON"), word: "passive", writer: "jane", order: orderNow() });
    const before = readFileSync(on.file("RCRON"), "utf8");
    await Bun.sleep(200);
    expect(readFileSync(on.file("RCRON"), "utf8")).toBe(before);
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
  });

  test("a state file that was removed is written again", async () => {
    await using on = stage(renewals);
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    rmSync(on.file("RCRON"));
    await until("active again", () => on.word() === "active");
  });

  test("without a need nothing is written twice", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    const before = readFileSync(on.file("RCRON"), "utf8");
    await Bun.sleep(150);
    expect(readFileSync(on.file("RCRON"), "utf8")).toBe(before);
  });
});

describe("follow(): a word that can't be written", () => {
  test("is told, and tried again until it is written, with the order and the epoch of its event", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    const { epoch = 0 } = on.now()?.provenance ?? {};
    const aside = join(on.folder, "aside");
    renameSync(on.file("RCRON"), aside);
    mkdirSync(on.file("RCRON")); // a folder in the way
    on.events.say('INSTANCE "RCRON" MASTER_RX_LOWER_PRI 100');
    await until("it is told", () => on.troubles.length > 0);
    expect(on.troubles[0]).toContain("must be writable: is a directory");
    const toldTicks = orderNow().startTicks;
    rmSync(on.file("RCRON"), { recursive: true });
    renameSync(aside, on.file("RCRON"));
    await until("it is written", () => on.now()?.provenance.event === "MASTER_RX_LOWER_PRI");
    expect(on.now()?.provenance.epoch).toBeGreaterThan(epoch);
    expect(on.now()?.provenance.order?.startTicks).toBeLessThanOrEqual(toldTicks);
  });

  test("gives way to a change by somebody else that came later", async () => {
    await using on = stage();
    mkdirSync(on.file("RCRON"));
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("it is told", () => on.troubles.length > 0);
    await Bun.sleep(20); // a tick later
    rmSync(on.file("RCRON"), { recursive: true });
    writeFileSync(on.file("RCRON"), formatState("passive", { writer: "jane", bootId, order: orderNow() }));
    await until("it is overtaken", () => on.written.length === 1);
    expect(on.written[0]).toMatchObject({ isWritten: false, word: "passive" });
    expect(on.word()).toBe("passive");
  });

  test("is tried once more when the FIFO ends", async () => {
    await using on = stage();
    on.events.say('INSTANCE "RCRON" MASTER 100');
    await until("active", () => on.word() === "active");
    rmSync(on.file("RCRON"));
    mkdirSync(on.file("RCRON"));
    on.events.say('INSTANCE "RCRON" STOP 100');
    await until("it is told", () => on.troubles.length > 0);
    rmSync(on.file("RCRON"), { recursive: true });
    on.events.end();
    await on.ended;
    expect(on.now()).toMatchObject({ word: "passive", provenance: { event: "STOP" } });
  });

  test("does not keep the others from being written", async () => {
    await using on = stage({
      targets: [
        { kind: "INSTANCE", name: "WEB" },
        { kind: "INSTANCE", name: "DB" },
      ],
    });
    mkdirSync(on.file("WEB"));
    on.events.say('INSTANCE "WEB" MASTER 100', 'INSTANCE "DB" MASTER 100');
    await until("DB is active", () => on.word("DB") === "active");
    expect(on.troubles[0]).toContain("WEB.state");
  });
});

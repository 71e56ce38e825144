/**
 * Following keepalived's notify FIFO: each event, in its order, becomes a word in a state file.
 *
 * The life of this reader is bound to that of keepalived's VRRP process, which starts it and is its parent:
 *
 * - reload: keepalived sends TERM, closes the FIFO and starts another reader. This one reads to the end of the FIFO,
 *   leaves the word with keepalived alone as its writer, and goes; the next one adopts it.
 * - stop: TERM, then the STOP events, then the end of the FIFO a second later. So TERM ends nothing by itself.
 * - keepalived dies: the FIFO ends, and the parent is gone. Nobody will ever write STOP, so this reader writes passive.
 * - keepalived dies and is started anew at once: then it may have the same FIFO open before this reader saw its end, and
 *   this reader would go on, and take what is meant for the next. So what it reads after its parent's death it puts back.
 *
 * A word that could not be written (a full disk) is tried again every second for as long as keepalived lives.
 * MASTER_RX_LOWER_PRI, which comes with every advert in a one-way split, begins a new term every ten seconds at most.
 */
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { nameWriter, type WriterProcess, writerProcesses } from "../model/provenance.ts";
import type { State } from "../model/state.ts";
import { findProcess, lifeOf } from "../system/other-processes.ts";
import { type KeepalivedEvent, parseKeepalivedEvent } from "./keepalived-event.ts";
import {
  orderNow,
  provenanceOf,
  readCurrent,
  revise,
  type StateChange,
  type Written,
  writeState,
} from "./write-state.ts";

/** Which state file an instance or a group has. */
export interface FollowTarget {
  readonly kind: KeepalivedEvent["kind"];
  readonly name: string;
  readonly stateFile: string;
}

/** What {@link follow} needs. */
export interface FollowOptions {
  /** The events' bytes, to the end of the FIFO. */
  readonly events: AsyncIterable<Uint8Array>;
  /** Gives back lines that are meant for another reader; called when `events` has been closed. */
  readonly putBack: (text: string) => void;
  readonly targets: readonly FollowTarget[];
  /** keepalived's VRRP process. */
  readonly keepalived: WriterProcess;
  /** The word holds for so many milliseconds and is renewed thrice in that time; undefined: until the next event. */
  readonly validForMs: number | undefined;
  /** How often the word is written anew, in milliseconds; undefined: only when it changes. */
  readonly renewMs: number | undefined;
  /** Not called where nothing was due, as {@link Written.isRepeat} has it. */
  readonly onWritten: (stateFile: string, written: Written) => void;
  /** A sentence for the log. */
  readonly onTrouble: (sentence: string) => void;
  /** Milliseconds since 1970; without it, the system's clock. */
  readonly now?: () => number;
}

/** A line that is longer is none of keepalived's. */
const lineLimit = 1024;
const retryMs = 1000;
/** The kernel closes a dying process's files a moment before it calls it dead. */
const deathWaitMs = 500;
const deathPollMs = 10;

/**
 * Follows the events until their end. Never throws for what an event or a file does.
 * @throws what reading the events throws
 */
export async function follow(options: FollowOptions): Promise<void> {
  const follower = new Follower(options);
  try {
    await follower.adopt();
    let strays: readonly string[] = [];
    for await (const lines of linesOf(options.events, options.onTrouble)) {
      if (lifeOf(options.keepalived) === "dead") {
        strays = lines;
        break;
      }
      for (const line of lines) await follower.take(line);
    }
    if (strays.length > 0) {
      options.putBack(strays.map((line) => `${line}\n`).join(""));
      // They may be our own keepalived's last words as well: a STOP that nobody else will read.
      for (const line of strays) await follower.takeFarewell(line);
    }
    await follower.leave();
  } finally {
    follower.close();
  }
}

class Follower {
  readonly #options: FollowOptions;
  readonly #now: () => number;
  readonly #self: string;
  /** The last decision for each state file, for renewals. */
  readonly #decided = new Map<string, StateChange>();
  /** Decisions that could not be written yet. */
  readonly #unwritten = new Set<string>();
  readonly #timer: Timer;
  /** One write at a time, in the order of the events. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const own = findProcess(process.pid);
    this.#self = own === undefined ? "rcronctl" : nameWriter(own);
    const periodMs = Math.min(retryMs, options.renewMs ?? retryMs);
    let renewedMs = performance.now();
    this.#timer = setInterval(() => {
      // A timer that comes a moment early must not put a renewal off by a whole period.
      const sinceMs = performance.now() - renewedMs + periodMs / 2;
      const isDue = options.renewMs !== undefined && sinceMs >= options.renewMs;
      if (isDue) renewedMs = performance.now();
      this.#inTurn(() => this.#again(isDue));
    }, periodMs);
  }

  /** After a reload: the words that this keepalived's former reader left are ours to stand behind. */
  adopt(): Promise<void> {
    return this.#inTurn(async () => {
      for (const { stateFile } of this.#options.targets) await this.#adoptWord(stateFile, () => true);
    });
  }

  async #adoptWord(stateFile: string, isOurs: (writer: string) => boolean): Promise<void> {
    const keepalived = nameWriter(this.#options.keepalived);
    const both = `${keepalived} ${this.#self}`;
    const mayAdopt = (writer: string | undefined): boolean =>
      writer !== undefined && writer !== both && writer.split(" ").includes(keepalived) && isOurs(writer);
    if (!mayAdopt(readCurrent(stateFile)?.provenance.writer)) return;
    await this.#guard(stateFile, () =>
      revise(stateFile, (current) => {
        if (current === undefined || !mayAdopt(current.provenance.writer)) return undefined;
        const { word, provenance } = current;
        const { instance, event } = provenance;
        this.#decided.set(stateFile, this.#change(stateFile, word, { instance, event }));
        return { word, provenance: { ...provenance, writer: both } };
      }),
    );
  }

  /** What this keepalived's former reader wrote after we came, and left alone when it went. */
  async #adoptOrphans(): Promise<void> {
    const isOrphan = (writer: string) =>
      writerProcesses(writer).every(
        (each) => each.pid === this.#options.keepalived.pid || lifeOf(each) === "dead",
      );
    for (const { stateFile } of this.#options.targets) await this.#adoptWord(stateFile, isOrphan);
  }

  /** A line of the FIFO. */
  async take(line: string): Promise<void> {
    const event = parseKeepalivedEvent(line);
    if (event === undefined) return;
    if (event instanceof Problem) {
      this.#options.onTrouble(`${event.message}: no word changes`);
      return;
    }
    const target = this.#options.targets.find(({ kind, name }) => kind === event.kind && name === event.name);
    if (target === undefined) return;
    const { stateFile } = target;
    const change = this.#change(stateFile, event.word, { instance: event.name, event: event.state });
    await this.#inTurn(() => this.#write({ ...change, isNewTerm: event.isNewTerm }));
  }

  /** A line that was read when keepalived was dead: its successor says `active` to its own reader. */
  async takeFarewell(line: string): Promise<void> {
    const event = parseKeepalivedEvent(line);
    if (event !== undefined && !(event instanceof Problem) && event.word === "passive") await this.take(line);
  }

  /** Ends the renewals. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** The FIFO has ended. */
  async leave(): Promise<void> {
    this.close();
    await this.#inTurn(() => this.#again(false));
    const { keepalived, targets, onTrouble, onWritten } = this.#options;
    const alone = nameWriter(keepalived);
    const both = `${alone} ${this.#self}`;
    const isAlive = await livesOn(keepalived);
    for (const { stateFile } of targets) {
      const written = await this.#guard(stateFile, () =>
        revise(stateFile, (current) => {
          if (current?.provenance.writer !== both) return undefined; // another reader's by now, or somebody else's
          if (isAlive) return { word: current.word, provenance: { ...current.provenance, writer: alone } };
          if (current.word === "passive") return undefined;
          const { instance } = current.provenance;
          const change = this.#change(stateFile, "passive", { instance, event: "LOST" });
          return { word: "passive", provenance: provenanceOf(change, current, this.#now()) };
        }),
      );
      if (!written?.isWritten || isAlive) continue;
      onTrouble(
        `keepalived is gone without a word: ${printable(stateFile)} said active, and says passive now`,
      );
      onWritten(stateFile, written);
    }
  }

  #change(
    stateFile: string,
    word: State,
    { instance, event }: Pick<StateChange, "instance" | "event">,
  ): StateChange {
    const { keepalived, validForMs } = this.#options;
    const writer = `${nameWriter(keepalived)} ${this.#self}`;
    // Only a claim needs an end: a machine that stands by may do so for good.
    const lease = word === "active" ? validForMs : undefined;
    return { stateFile, word, writer, order: orderNow(), instance, event, validForMs: lease };
  }

  async #write(change: StateChange): Promise<void> {
    const { stateFile } = change;
    this.#decided.set(stateFile, change);
    const written = await this.#guard(stateFile, () => writeState(change, this.#now));
    if (written === undefined) {
      this.#unwritten.add(stateFile);
      return;
    }
    this.#unwritten.delete(stateFile);
    this.#decided.set(stateFile, { ...change, isNewTerm: false });
    if (!written.isRepeat) this.#options.onWritten(stateFile, written);
  }

  /** Writes what could not be written, and all words where they are due to be renewed. */
  async #again(isDue: boolean): Promise<void> {
    // A stopped keepalived decides nothing: its words are not renewed.
    if (isDue && lifeOf(this.#options.keepalived) !== "alive") isDue = false;
    await this.#adoptOrphans();
    for (const [stateFile, change] of this.#decided) {
      // With the order of its event: whatever was decided since then, by the next reader for instance, is newer.
      if (this.#unwritten.has(stateFile)) await this.#write(change);
      else if (isDue) await this.#guard(stateFile, () => this.#renew(change));
    }
  }

  /** A word that somebody else wrote, a person for instance, is not ours to renew: it holds until the next event. */
  #renew(change: StateChange): Promise<Written> {
    return revise(change.stateFile, (current) => {
      if (current !== undefined && current.provenance.writer !== change.writer) return undefined;
      const renewed = { ...change, order: orderNow() };
      return { word: change.word, provenance: provenanceOf(renewed, current, this.#now()) };
    });
  }

  /** @returns undefined where the write failed, which has been told then */
  async #guard(stateFile: string, write: () => Promise<Written>): Promise<Written | undefined> {
    try {
      const written = await write();
      if (written.warning !== undefined) this.#options.onTrouble(written.warning);
      return written;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // "conflict": there was no word to adopt or to hand over.
      if (error.code !== "conflict") this.#options.onTrouble(`${printable(stateFile)}: ${error.message}`);
      return undefined;
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work);
    return this.#last;
  }
}

async function livesOn(keepalived: WriterProcess): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < deathWaitMs; waitedMs += deathPollMs) {
    if (lifeOf(keepalived) === "dead") return false;
    await Bun.sleep(deathPollMs);
  }
  return true;
}

/** The whole lines of each piece; one that is too long is told and left out. */
async function* linesOf(
  bytes: AsyncIterable<Uint8Array>,
  onTrouble: (sentence: string) => void,
): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = "";
  let isSkipping = false;
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (isSkipping && parts.length > 0) {
      parts.shift();
      isSkipping = false;
    }
    if (parts.length > 0) yield parts;
    if (rest.length > lineLimit) {
      if (!isSkipping) onTrouble(`a line must not be longer than ${lineLimit} characters: left out`);
      isSkipping = true;
      rest = "";
    }
  }
}

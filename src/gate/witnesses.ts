/**
 * The witnesses: what else this machine can be asked about the state file's word, at the cost of a few system calls
 * and never of a process started for it.
 *
 * A word in a file stays when its writer is gone: after `kill -9` of keepalived it says active for ever, and the
 * virtual address stays too. So rcron.conf may name witnesses, and a word that one of them contradicts is in doubt.
 * Asking ({@link askWitnesses}) and judging ({@link contradictions}) are two steps: the first reads the machine, the second
 * is pure, and the golden decisions hold each row of its table (docs/verdicts.md).
 */
import { durationInWords } from "../model/duration.ts";
import { printable } from "../model/printable.ts";
import { type Provenance, type WriterProcess, writerProcesses } from "../model/provenance.ts";
import type { DoubtReason } from "../model/state.ts";
import { whereIs } from "../system/addresses.ts";
import { readBootId, readUptimeS } from "../system/boot.ts";
import { modifiedAtMs } from "../system/files.ts";
import { lifeOf, type ProcessLife } from "../system/other-processes.ts";
import type { Witnesses } from "./conf.ts";
import type { StateReading } from "./state-file.ts";

/** A state file that has a word. */
export type WordReading = Extract<StateReading, { kind: "word" }>;

/** What the machine said. A question that was not asked has no answer. */
export interface Testimony {
  readonly nowMs: number;
  readonly uptimeS?: number | undefined;
  readonly bootId?: string | undefined;
  readonly writers?: readonly { readonly process: WriterProcess; readonly life: ProcessLife }[];
  readonly address?: "here" | "absent" | "unknown";
  /** When the file was written, where it does not say so itself. */
  readonly fileWrittenAtMs?: number | undefined;
}

/** A reason to doubt the word. */
export interface Contradiction {
  readonly reason: DoubtReason;
  /** What speaks against the word: the second half of a sentence. */
  readonly but: string;
}

/** A word that claims to come from the future by no more than this is taken as written now. */
const clockToleranceMs = 2000;

/**
 * Asks the machine what the configuration wants to know, and whatever is needed to tell whether a lease has run out.
 */
export function askWitnesses(witnesses: Witnesses | undefined, reading: WordReading): Testimony {
  const { provenance } = reading;
  const { validUntilMs, writtenAtMs, bootId, uptimeS } = provenance;
  const asksAge = witnesses?.maxAgeMs !== undefined;
  const asksTime = (asksAge || validUntilMs !== undefined) && bootId !== undefined && uptimeS !== undefined;
  const asksFile = asksAge && writtenAtMs === undefined && !asksTime;
  return {
    nowMs: Date.now(),
    ...(asksTime && { uptimeS: readUptimeS() }),
    ...((asksTime || witnesses?.boot) && { bootId: readBootId() }),
    ...(witnesses?.writer && { writers: askWriters(provenance) }),
    ...(witnesses?.address && { address: whereIs(witnesses.address.bytes) }),
    ...(asksFile && { fileWrittenAtMs: modifiedAtMs(reading.path) }),
  };
}

function askWriters(provenance: Provenance): { process: WriterProcess; life: ProcessLife }[] {
  const processes = writerProcesses(provenance.writer);
  const writers: { process: WriterProcess; life: ProcessLife }[] = [];
  for (let index = 0; index < processes.length; index++) {
    const process = processes[index];
    if (process !== undefined) writers.push({ process, life: lifeOf(process) });
  }
  return writers;
}

/** The events with which a writer takes its leave: it will not live on, and the passive word is its last will. */
const farewells: readonly (string | undefined)[] = ["STOP", "DELETED"];

/**
 * What speaks against the word, in the order in which it weighs. Pure.
 *
 * What is found to be otherwise speaks against either word; what can't be found out, against `active` alone: a claim to
 * be the one needs proof, standing by needs none.
 * @returns empty where every witness agrees with the word
 */
export function contradictions(
  { state, provenance }: Pick<WordReading, "state" | "provenance">,
  witnesses: Witnesses | undefined,
  testimony: Testimony,
): Contradiction[] {
  const found: Contradiction[] = [];
  const against = (reason: DoubtReason, but: string) => found.push({ reason, but });
  const claims = state === "active";
  const isFarewell = !claims && farewells.includes(provenance.event);
  const overMs = overdueMs(provenance, testimony);
  if (overMs !== undefined) {
    const isReadable = provenance.validUntilMs !== 0;
    const until = isReadable ? `until ${durationInWords(overMs)} ago` : "an end that can't be understood";
    against("state-expired", `its writer gave it ${until} (valid_until)`);
  }
  if (witnesses === undefined) return found;

  if (witnesses.boot) {
    if (provenance.bootId === undefined || testimony.bootId === undefined) {
      const lacking = provenance.bootId === undefined ? "it does not say" : "this machine does not tell";
      if (claims) against("boot-unknown", `${lacking} in which boot it was written (require_boot)`);
    } else if (provenance.bootId !== testimony.bootId) {
      against("boot-differs", "it was written before this machine's last boot (require_boot)");
    }
  }
  if (witnesses.writer && !isFarewell) {
    const writers = testimony.writers ?? [];
    for (let index = 0; index < writers.length; index++) {
      const writer = writers[index];
      if (writer === undefined || writer.life === "alive") continue;
      const who = `its writer ${printable(writer.process.name)} (pid ${writer.process.pid})`;
      const reason = writer.life === "dead" ? "writer-dead" : "writer-stopped";
      against(reason, `${who} is ${writer.life} (require_writer)`);
    }
    // A lease that runs stands in for a process: both end by themselves when nobody stands behind the word any more.
    if (claims && writers.length === 0 && provenance.validUntilMs === undefined) {
      const named = provenance.writer === undefined ? "" : `, only ${printable(provenance.writer)}`;
      against("writer-unknown", `it names no living writer${named}, and no end (require_writer)`);
    }
  }
  if (witnesses.address !== undefined) {
    const { text } = witnesses.address;
    const { address } = testimony;
    if (address === "absent") {
      if (claims) against("address-missing", `${text} is not on this machine (require_address)`);
    } else if (address === "here") {
      if (!claims) against("address-present", `${text} is on this machine (require_address)`);
    } else if (claims) {
      against("address-unknown", `the kernel can't be asked where ${text} is (require_address)`);
    }
  }
  if (witnesses.maxAgeMs !== undefined && !isFarewell) {
    const ageMs = ageOf(provenance, testimony);
    const limit = `state_max_age is ${durationInWords(witnesses.maxAgeMs)}`;
    if (ageMs === undefined) {
      if (claims) against("state-age-unknown", `it can't be told when it was written (${limit})`);
    } else if (ageMs < -clockToleranceMs) {
      const ahead = durationInWords(-ageMs);
      if (claims)
        against("state-age-unknown", `it was written ${ahead} ahead of this machine's clock (${limit})`);
    } else if (ageMs > witnesses.maxAgeMs) {
      against("state-too-old", `it was written ${durationInWords(ageMs)} ago (${limit})`);
    }
  }
  return found;
}

/**
 * How long ago the word was written, in milliseconds. By the time since boot where the word is of this boot, which no
 * step of the clock changes and in which suspended time counts; else by the clock, and then it may be negative.
 * @returns undefined where nothing tells
 */
export function ageOf(provenance: Provenance, testimony: Testimony): number | undefined {
  const { bootId, uptimeS, writtenAtMs } = provenance;
  if (bootId !== undefined && bootId === testimony.bootId && uptimeS !== undefined) {
    if (testimony.uptimeS !== undefined) return Math.round((testimony.uptimeS - uptimeS) * 1000);
  }
  const wroteAtMs = writtenAtMs ?? testimony.fileWrittenAtMs;
  return wroteAtMs === undefined ? undefined : testimony.nowMs - wroteAtMs;
}

/** For how long the word's lease has been over; undefined where it is not, or there is none. */
function overdueMs(provenance: Provenance, testimony: Testimony): number | undefined {
  const { validUntilMs, writtenAtMs } = provenance;
  if (validUntilMs === undefined) return undefined;
  // The length of the lease, compared with its age: right also when the clock was stepped in between.
  const ageMs = writtenAtMs === undefined ? undefined : ageOf(provenance, testimony);
  const overMs =
    ageMs === undefined || writtenAtMs === undefined
      ? testimony.nowMs - validUntilMs
      : ageMs - (validUntilMs - writtenAtMs);
  return overMs >= 0 ? overMs : undefined;
}

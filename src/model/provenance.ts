/**
 * Who wrote the state file's word, when, and for how long it holds: the `key=value` lines behind the word.
 *
 * The first line stays the bare word, so that every older reader understands the file, and a file that has nothing
 * else (`echo active > FILE`) has a provenance in which nothing is known. The parser is pure and total: what it does
 * not understand it leaves out, because a doubtful line must not cost the machine its word.
 */
import type { State } from "./state.ts";

/** A process, told apart from a later one with the same pid by its start. */
export interface WriterProcess {
  /** The name of its program, at most 15 bytes, as /proc/PID/comm has it. */
  readonly name: string;
  readonly pid: number;
  /** In clock ticks since boot: field 22 of /proc/PID/stat. */
  readonly startTicks: number;
}

/** What a state file says besides its word; what it does not say is undefined. */
export interface Provenance {
  /** Grows with every change of the word, on all machines of the group whose clocks agree. */
  readonly epoch?: number;
  /** Of keepalived: the VRRP instance or the group. */
  readonly instance?: string;
  /** `NAME/PID/START` for each process that stands behind the word; a name alone for a person. */
  readonly writer?: string;
  readonly bootId?: string;
  /** Milliseconds since 1970, as all that ends in AtMs. */
  readonly writtenAtMs?: number;
  /** From then on the word counts no more. */
  readonly validUntilMs?: number;
  /** When the word came to be what it is. */
  readonly sinceMs?: number;
  /** Seconds since boot, suspended time included, when it was written: for ages that no step of the clock changes. */
  readonly uptimeS?: number;
  /** What orders writers that overlap: the start of the one that wrote last. */
  readonly order?: WriteOrder;
  /** What the writer was told: `MASTER`, `BACKUP`, … */
  readonly event?: string;
}

/** When a writer was started; within one boot, the later one is right. */
export interface WriteOrder {
  readonly startTicks: number;
  /** Tells apart two starts in one tick of 10 ms. */
  readonly pid: number;
}

/** Of a file with nothing but its word. */
export const noProvenance: Provenance = {};

/** A value is cut at this length when it is written. */
const valueLimit = 200;
/** So that two writers fit: a cut must never fall into a pid, which would be another process's. */
const nameLimit = 60;

/**
 * Reads the lines behind the word. One function with plain loops: it is on the hot path.
 * @param text the whole content of the state file
 */
export function parseProvenance(text: string): Provenance {
  const found: { -readonly [Key in keyof Provenance]: Provenance[Key] } = {};
  const lines = text.split("\n");
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const equals = line.indexOf("=");
    if (equals < 1) continue;
    const value = line.slice(equals + 1).trim();
    if (value === "") continue;
    const number = Number(value);
    switch (line.slice(0, equals).trim()) {
      case "epoch":
        if (Number.isSafeInteger(number) && number >= 0) found.epoch = number;
        break;
      case "instance":
        found.instance = value;
        break;
      case "writer":
        found.writer = value;
        break;
      case "boot_id":
        found.bootId = value;
        break;
      case "written_at":
        setInstant("writtenAtMs", value);
        break;
      case "valid_until":
        // A lease that can't be read must not become one without an end.
        if (!setInstant("validUntilMs", value)) found.validUntilMs = 0;
        break;
      case "since":
        setInstant("sinceMs", value);
        break;
      case "uptime":
        if (number >= 0 && number < 1e12) found.uptimeS = number;
        break;
      case "order": {
        const slash = value.indexOf("/");
        const startTicks = Number(value.slice(0, slash));
        const pid = Number(value.slice(slash + 1));
        if (slash > 0 && Number.isSafeInteger(startTicks) && Number.isSafeInteger(pid)) {
          found.order = { startTicks, pid };
        }
        break;
      }
      case "event":
        found.event = value;
        break;
    }
  }
  return found;

  function setInstant(key: "writtenAtMs" | "validUntilMs" | "sinceMs", value: string): boolean {
    const ms = Date.parse(value);
    // Only what says its zone: a local time would mean another instant on another machine.
    if (Number.isNaN(ms) || !(value.endsWith("Z") || /[+-]\d\d:?\d\d$/.test(value))) return false;
    found[key] = ms;
    return true;
  }
}

/**
 * The processes that a `writer` names.
 * @returns empty where it names none, as for a person
 */
export function writerProcesses(writer: string | undefined): WriterProcess[] {
  const processes: WriterProcess[] = [];
  if (writer === undefined) return processes;
  const items = writer.split(" ");
  for (let index = 0; index < items.length; index++) {
    const item = items[index] ?? "";
    const lastSlash = item.lastIndexOf("/");
    const slash = item.lastIndexOf("/", lastSlash - 1);
    if (slash < 0 || lastSlash < 1) continue;
    const pid = Number(item.slice(slash + 1, lastSlash));
    const startTicks = Number(item.slice(lastSlash + 1));
    if (!Number.isSafeInteger(pid) || pid < 1 || !Number.isSafeInteger(startTicks)) continue;
    processes.push({ name: item.slice(0, slash), pid, startTicks });
  }
  return processes;
}

/** A process as `writer` names it. Blanks and control characters in its name become `_`; a long name is cut. */
export function nameWriter({ name, pid, startTicks }: WriterProcess): string {
  return `${name.slice(0, nameLimit).replace(/[\s\x00-\x1f\x7f]/g, "_")}/${pid}/${startTicks}`;
}

/** The content of a state file. Line breaks and control characters in values become blanks. */
export function formatState(word: State, provenance: Provenance): string {
  const { epoch, instance, writer, bootId, writtenAtMs, validUntilMs, sinceMs, uptimeS, order, event } =
    provenance;
  const rows: [string, string | number | undefined][] = [
    ["epoch", epoch],
    ["instance", instance],
    ["event", event],
    ["writer", writer],
    ["boot_id", bootId],
    ["since", instant(sinceMs)],
    ["written_at", instant(writtenAtMs)],
    ["valid_until", instant(validUntilMs)],
    ["uptime", uptimeS?.toFixed(2)],
    ["order", order && `${order.startTicks}/${order.pid}`],
  ];
  const lines = rows
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([key, value]) => {
      const oneLine = String(value).replace(/[\x00-\x1f\x7f]/g, " ");
      return `${key}=${oneLine.slice(0, valueLimit)}\n`;
    });
  return `${word}\n${lines.join("")}`;
}

function instant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

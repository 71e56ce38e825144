/**
 * Lines for a descriptor that somebody reads, or not: a terminal with Ctrl-S, a pipe whose reader hangs. Nothing here waits.
 * What there is no room for is kept, within a bound, and goes out when there is room.
 */
import { Outlet } from "../system/outlet.ts";

/** As much is kept; of more the oldest lines are lost, and counted. */
const keptBytes = 1024 * 1024;
const retryMs = 100;

/** Lines on their way. */
export class PatientLines {
  readonly #outlet: Outlet;
  readonly #lines: Uint8Array[] = [];
  #bytes = 0;
  #lost = 0;
  #timer: Timer | undefined;

  /** @param fd stays open */
  constructor(fd: number) {
    this.#outlet = new Outlet(fd);
  }

  /** How many lines were lost, for want of a reader, since all was well; 0 where all is. */
  get lost(): number {
    return this.#lost;
  }

  add(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    this.#lines.push(bytes);
    this.#bytes += bytes.length;
    this.#flush();
    while (this.#bytes > keptBytes) {
      this.#bytes -= this.#lines.shift()?.length ?? 0;
      this.#lost += 1;
    }
  }

  /** Gives up what is left. */
  close(): void {
    clearTimeout(this.#timer);
    this.#flush();
    clearTimeout(this.#timer);
    this.#outlet.close();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    for (let line = this.#lines[0]; line !== undefined; line = this.#lines[0]) {
      const written = this.#outlet.write(line);
      // Nobody will ever read it: a closed terminal, a full disk.
      const taken = typeof written === "number" ? written : line.length;
      this.#bytes -= taken;
      if (taken < line.length) {
        this.#lines[0] = line.subarray(taken);
        this.#timer = setTimeout(() => this.#flush(), retryMs);
        return;
      }
      this.#lines.shift();
    }
    this.#lost = 0;
  }
}

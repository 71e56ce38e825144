/**
 * One stream of a run's output on its way from the node: which of its files is being had, how much of it, and whether that
 * was all.
 */
import type { Position, StreamName } from "./node-script.ts";
import type { NodeSession } from "./node-session.ts";

/** A node that goes by its script never has so many files full; another one shall not fill our memory. */
const mostFull = 64;
const mostMisses = 5;

/** A stream. */
export class OutputStream {
  readonly name: StreamName;
  #chunk: number;
  #offset: number;
  /** Of the files that are full, how many bytes each has. */
  readonly #full = new Map<number, number>();
  #drained: { readonly chunk: number; readonly bytes: number; readonly isCut: boolean } | undefined;
  #isGivenUp = false;
  #misses = 0;
  /** The session that brings it now. */
  session: NodeSession | undefined;
  /** Which of the sessions that ever brought it is heard: what another one still has would be had twice. */
  #turn = 0;
  /** A session that is to bring it is on its way; `again`: another one is wanted by now. */
  opening: "no" | "yes" | "again" = "no";

  constructor(name: StreamName, { chunk, offset }: Position = { chunk: 0, offset: 0 }) {
    this.name = name;
    this.#chunk = chunk;
    this.#offset = offset;
  }

  /** All before this was given to its receiver. */
  get position(): Position {
    return { chunk: this.#chunk, offset: this.#offset };
  }

  get turn(): number {
    return this.#turn;
  }

  /** From now on, only the session that is opened next is heard. */
  takeTurn(): number {
    this.#turn += 1;
    return this.#turn;
  }

  /** The session that was on its way is there, or is not to be had. @returns true where another one is wanted by now */
  isWantedAgain(): boolean {
    const isWanted = this.opening === "again";
    this.opening = "no";
    return isWanted;
  }

  /** True when nothing more will come. */
  get isComplete(): boolean {
    if (this.#isGivenUp) return true;
    const last = this.#drained;
    return (
      last !== undefined &&
      (this.#chunk > last.chunk || (this.#chunk === last.chunk && this.#offset >= last.bytes))
    );
  }

  /** True when the node has told how much there is. */
  get isDrained(): boolean {
    return this.#drained !== undefined;
  }

  /** True where the node had no room for all of it. */
  get isCut(): boolean {
    return this.#drained?.isCut === true;
  }

  /** True where the file that is being had was had whole, and another one follows. */
  get isAtChunkEnd(): boolean {
    const bytes = this.#full.get(this.#chunk);
    return bytes !== undefined && this.#offset >= bytes && !this.isComplete;
  }

  received(bytes: number): void {
    this.#misses = 0;
    this.#offset += bytes;
  }

  isFull(chunk: number, bytes: number): void {
    if (chunk >= this.#chunk && chunk < this.#chunk + mostFull) this.#full.set(chunk, bytes);
  }

  /** True where a file is known to be full, and not all of it was had. */
  get isBehind(): boolean {
    return this.#full.has(this.#chunk);
  }

  drained(chunk: number, bytes: number, isCut: boolean): void {
    this.#drained = { chunk, bytes, isCut };
  }

  /** To the next file. */
  advance(): void {
    this.#full.delete(this.#chunk);
    this.#chunk += 1;
    this.#offset = 0;
  }

  /** A file that must be there is not. @returns true at the fifth time in a row */
  isLost(): boolean {
    this.#misses += 1;
    return this.#misses >= mostMisses;
  }

  /** What is not had by now is not waited for. */
  giveUp(): void {
    this.#isGivenUp = true;
  }
}

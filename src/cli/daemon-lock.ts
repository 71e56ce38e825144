/**
 * The lock by which rcrond is one of a machine: a file of its state folder, held for as long as it lives.
 *
 * A lock on a file that is no longer at its place keeps nobody out: where somebody takes the folder away, the next copy that cron
 * starts would be a second scheduler, and each job would run twice. So the place is looked at now and then, and taken again.
 */
import { printable } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { type HeldFile, holdFile } from "../system/lock.ts";

const betweenLooksMs = 5000;

/** The lock, held. */
export class DaemonLock {
  readonly #path: string;
  #held: HeldFile;
  /** Device and inode of what is held. */
  #identity: string | undefined;
  #trouble: string | undefined;

  /**
   * Takes the lock, and writes this process's id into it.
   * @returns `taken` where another rcrond has it; the Problem `denied` where nobody could
   */
  static take(stateFolder: string): DaemonLock | "taken" | Problem {
    const path = `${stateFolder}/rcrond.lock`;
    const held = holdFile(path);
    if (held === "taken") return held;
    if (!("code" in held)) return new DaemonLock(path, held);
    return new Problem("denied", `the lock must be one that can be held: ${held.text}`, {
      where: printable(path),
      hint: "another folder can be named by state_folder in the section [daemon] of rcron.conf",
    });
  }

  private constructor(path: string, held: HeldFile) {
    this.#path = path;
    this.#held = held;
    this.#claim();
  }

  /** What is wrong since its place was found empty, in a sentence; it lasts until the next start. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * Looks at its place every 5 s, until it is released.
   * @param onTrouble told once, and again where it becomes another trouble
   * @returns what ends the looking
   */
  watch(onTrouble: (sentence: string) => void): { cancel(): void } {
    const timer = setInterval(() => {
      const before = this.#trouble;
      this.#look();
      if (this.#trouble !== undefined && this.#trouble !== before) onTrouble(this.#trouble);
    }, betweenLooksMs);
    return { cancel: () => clearInterval(timer) };
  }

  release(): void {
    this.#held.release();
  }

  #look(): void {
    if (this.#identity === undefined || this.#identity === identityOf(this.#path)) return;
    const gone = `${this.#path} was taken away while rcrond was at work: restart rcrond`;
    const held = holdFile(this.#path);
    if (held === "taken") {
      this.#trouble = `${gone}; another rcrond has begun there, and jobs may run twice until one is ended`;
    } else if ("code" in held) {
      this.#trouble = `${gone}; it can't be held again (${held.text}), and a second rcrond may begin`;
    } else {
      this.#held.release();
      this.#held = held;
      this.#claim();
      this.#trouble = `${gone}, or the next start won't know what was run before`;
    }
  }

  #claim(): void {
    this.#held.write(`${process.pid}\n`);
    this.#identity = identityOf(this.#path);
  }
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = process.getBuiltinModule("node:fs").lstatSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined; // what isn't there, or can't be looked at, is not what is held
  }
}

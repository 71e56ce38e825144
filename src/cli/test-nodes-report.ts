/**
 * What `rcronctl nodes test` prints while nodes are asked: by whom, it does not know.
 */
import type { NodeTest } from "../model/control-message.ts";
import { printable } from "../model/printable.ts";
import { harmlessLine } from "./harmless-output.ts";
import { print, writeOut } from "./standard-output.ts";
import { type Cell, formatTable, type Screen, screen } from "./table.ts";
import { failed } from "./terminal.ts";

/** Nodes that are named as those that are waited for. */
const namedNodes = 5;

/** Who is told of the nodes, one after the other. */
export interface NodeTestListener {
  /** The nodes that are asked; first of all. */
  readonly onNodes: (names: readonly string[]) => Promise<void>;
  readonly onTest: (test: NodeTest) => Promise<void>;
}

/** What is told: a line for each node as it answers, and a last one; or JSON at the end. */
export class TestReport implements NodeTestListener, Disposable {
  readonly #isJson: boolean;
  readonly #onGone: () => void;
  readonly #screen: Screen = screen();
  /** Where it can be seen how far the testing is: on a terminal, and there below what has been told. */
  readonly #progress: Progress | undefined;
  readonly #tests: NodeTest[] = [];
  #width = 0;
  /** It is known which nodes are asked. */
  hasBegun = false;
  /** Nobody reads any more. */
  isUnread = false;

  /** @param onGone is called when nobody reads any more */
  constructor(isJson: boolean, onGone: () => void) {
    this.#isJson = isJson;
    this.#onGone = onGone;
    this.#progress = isJson || !process.stdout.isTTY ? undefined : new Progress();
  }

  readonly onNodes = async (names: readonly string[]): Promise<void> => {
    this.hasBegun = true;
    this.#width = Math.max(...names.map((name) => name.length), 0);
    const [first] = names;
    const what = names.length === 1 ? `node ${first}` : `${names.length} nodes`;
    await this.#print(harmlessLine(`testing ${what}`));
    this.#progress?.begin(names, this.#screen.width);
  };

  readonly onTest = async (test: NodeTest): Promise<void> => {
    this.#tests.push(test);
    this.#progress?.clear();
    await this.#print(this.#inWords(test));
    this.#progress?.next(test.node, this.#screen.width);
  };

  /** All have been asked. @returns the exit status */
  async end(): Promise<number> {
    this.#progress?.clear();
    const tests = this.#tests;
    const down = tests.filter(({ why }) => why !== undefined).length;
    if (this.#isJson) await print(`${JSON.stringify(this.#json(down), undefined, 2)}\n`);
    else if (tests.length > 1)
      await this.#print(`${tests.length} nodes tested: ${tests.length - down} up, ${down} down\n`);
    return down > 0 ? failed : 0;
  }

  /** Leaves the terminal as it should be, also where not all have been asked. */
  [Symbol.dispose](): void {
    this.#progress?.clear();
  }

  #inWords({ node, ms, why, hint }: NodeTest): string {
    const cell: Cell =
      why === undefined ? { text: `up, ${ms} ms`, colour: "green" } : { text: `down: ${why}`, colour: "red" };
    const row = [node.padEnd(this.#width), cell];
    const told = formatTable([{ heading: "" }, { heading: "" }], [row], this.#unbounded, false);
    const indent = " ".repeat(this.#width + 2);
    return hint === undefined ? told : told + harmlessLine(`${indent}hint: ${hint}`);
  }

  /** A reason is never cut. */
  get #unbounded(): Screen {
    return { ...this.#screen, width: undefined };
  }

  #json(down: number): object {
    return {
      tested: this.#tests.length,
      failed: down,
      nodes: this.#tests.map(({ node, ms, why, hint }) => ({
        node,
        up: why === undefined,
        ms,
        why: why ?? null,
        hint: hint ?? null,
      })),
    };
  }

  async #print(text: string): Promise<void> {
    if (this.#isJson || (await writeOut(Buffer.from(text)))) return;
    this.isUnread = true;
    this.#onGone();
  }
}

/** The line at the bottom of a terminal that says what is waited for. */
class Progress {
  #waiting = new Set<string>();
  #count = 0;

  begin(names: readonly string[], width: number | undefined): void {
    this.#waiting = new Set(names);
    this.#count = names.length;
    this.#show(width);
  }

  next(node: string, width: number | undefined): void {
    this.#waiting.delete(node);
    if (this.#waiting.size > 0) this.#show(width);
  }

  #show(width = 80): void {
    const named = [...this.#waiting].slice(0, namedNodes);
    const more = this.#waiting.size > named.length ? ", …" : "";
    const done = this.#count - this.#waiting.size;
    const line = `${done} of ${this.#count}, waits for ${printable(named.join(", "))}${more}`;
    this.#write(line.slice(0, width - 1));
  }

  clear(): void {
    this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    try {
      process.getBuiltinModule("node:fs").writeSync(1, text);
    } catch {
      // Nobody sees it; what is told goes out another way, and says so.
    }
  }
}

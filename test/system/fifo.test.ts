import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Problem } from "../../src/model/problem.ts";
import { openFifo } from "../../src/system/fifo.ts";
import { temporaryFolder } from "../support/program.ts";

setDefaultTimeout(20_000);

function makeFifo(folder: string): string {
  const path = join(folder, "fifo");
  Bun.spawnSync(["mkfifo", path]);
  return path;
}

/** Runs a shell script that has the FIFO for its standard output. */
const writer = (path: string, script: string) => Bun.spawn(["sh", "-c", `exec >'${path}'; ${script}`]);

/** Waits until this process has nothing open of that path; the runtime closes its own a moment later. */
async function closed(path: string): Promise<boolean> {
  const isOpen = (fd: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false; // The folder's own, closed by now.
    }
  };
  for (let tries = 0; tries < 400; tries++) {
    if (!readdirSync("/proc/self/fd").some(isOpen)) return true;
    await Bun.sleep(5);
  }
  return false;
}

async function readAll(path: string, signal = new AbortController().signal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of openFifo(path, signal).bytes) text += decoder.decode(bytes, { stream: true });
  return text;
}

describe("openFifo()", () => {
  test("gives what is written, in its order, until the last writer has gone", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    const child = writer(path, "i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i + 1)); done");
    const expected = Array.from({ length: 2000 }, (_, index) => `${index}\n`).join("");
    expect(await readAll(path)).toBe(expected);
    expect(await child.exited).toBe(0);
    expect(await closed(path)).toBe(true);
  });

  test("waits for the first writer, and for each line", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    const reading = readAll(path);
    await Bun.sleep(50);
    const child = writer(path, "sleep 0.05; echo one; sleep 0.05; echo two");
    expect(await reading).toBe("one\ntwo\n");
    await child.exited;
  });

  test("a writer that comes and goes without a word is an end", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    const child = writer(path, "sleep 0.1");
    expect(await readAll(path)).toBe("");
    await child.exited;
  });

  test("ends when it is told to, though the writer lives on", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    const child = writer(path, "echo one; exec sleep 60");
    const stop = new AbortController();
    const pieces: string[] = [];
    for await (const bytes of openFifo(path, stop.signal).bytes) {
      pieces.push(new TextDecoder().decode(bytes));
      stop.abort();
    }
    expect(pieces).toEqual(["one\n"]);
    child.kill("SIGKILL");
    await child.exited;
    expect(await closed(path)).toBe(true);
  });

  test("ends when it is told to while nobody has come", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    const stop = new AbortController();
    const reading = readAll(path, stop.signal);
    await Bun.sleep(30);
    stop.abort();
    expect(await reading).toBe("");
    expect(await closed(path)).toBe(true);
  });

  test("leaves nothing open when its reader has had enough", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    const child = writer(path, "echo one; sleep 0.1; echo two; exec sleep 60");
    let pieces = 0;
    for await (const _ of openFifo(path, new AbortController().signal).bytes) if (++pieces === 2) break;
    expect(await closed(path)).toBe(true);
    child.kill("SIGKILL");
    await child.exited;
  });

  test.each([
    ["missing", "not-found", "the FIFO must be readable: no such file or directory"],
    ["file", "invalid", "must be a FIFO"],
    ["folder", "invalid", "must be a FIFO"],
  ])("%s is refused: %s", async (name, code, rule) => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "file"), 'INSTANCE "A" MASTER 100\n');
    mkdirSync(join(folder.path, "folder"));
    const path = join(folder.path, name);
    const refused = await readAll(path).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({ code, message: `${path}: ${rule}` });
    expect(await closed(path)).toBe(true);
  });
});

describe("putBack()", () => {
  /** Reads one piece and no more; the writer, which never ends, has the FIFO open. */
  async function readOne(path: string) {
    const fifo = openFifo(path, new AbortController().signal);
    for await (const bytes of fifo.bytes) return { fifo, text: new TextDecoder().decode(bytes) };
    throw new Error("there must be something to read");
  }

  test("the next reader has what was put back, behind what was there, and nothing is lost", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    // Opened both ways, as keepalived does it: a moment without a reader ends nothing.
    const child = writer(path, `exec 1<>'${path}'; echo first; sleep 0.05; echo one; exec sleep 60`);
    await readOne(path); // so that the second piece comes through the runtime's stream
    for (let times = 0; times < 50; times++) {
      const { fifo, text } = await readOne(path);
      expect(text).toBe("one\n");
      fifo.putBack(text);
    }
    child.kill("SIGKILL");
    await child.exited;
    expect(await closed(path)).toBe(true);
  });

  test("nothing where the FIFO is another one by now, a file, or gone", async () => {
    using folder = temporaryFolder();
    const path = makeFifo(folder.path);
    const child = writer(path, "echo one; exec sleep 60");
    const { fifo } = await readOne(path);
    child.kill("SIGKILL");
    await child.exited;
    rmSync(path);
    fifo.putBack("one\n");
    writeFileSync(path, "a file");
    fifo.putBack("one\n");
    expect(readFileSync(path, "utf8")).toBe("a file");
    // Beside another node, for a file system may give the same number again.
    renameSync(path, `${path}.old`);
    makeFifo(folder.path);
    const next = writer(path, "sleep 0.1; echo two");
    const reading = readAll(path);
    fifo.putBack("one\n");
    expect(await reading).toBe("two\n");
    await next.exited;
  });
});

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DescriptorReceiver, FileReceiver, LogReceiver } from "../../src/execute/receivers.ts";
import { closeFd, PipeReader } from "../../src/system/pipe.ts";
import { temporaryFolder } from "../support/program.ts";

setDefaultTimeout(20_000);

const bytes = (text: string) => new TextEncoder().encode(text);

/** A pipe from which is read when it is asked for. */
function slowPipe() {
  const pieces: Uint8Array[] = [];
  const pipe = PipeReader.open({
    onBytes: (given) => {
      pieces.push(given.slice());
      return true;
    },
    onEnd: () => {},
  });
  if ("code" in pipe) throw new Error(pipe.text);
  pipe.pause();
  return { pipe, all: () => Buffer.concat(pieces) };
}

describe("DescriptorReceiver", () => {
  test("keeps what a reader does not take, and gives it in order when he does", () => {
    const { pipe, all } = slowPipe();
    const receiver = new DescriptorReceiver(pipe.writeFd, "standard output");
    const random = crypto.getRandomValues(new Uint8Array(50_000));
    const sent: Uint8Array[] = [];
    let isFull = false;
    while (!isFull) {
      sent.push(random.slice());
      isFull = !receiver.take(random);
    }
    for (let n = 0; n < 3; n++) {
      sent.push(random.slice(n));
      expect(receiver.take(random.subarray(n))).toBe(false);
    }
    expect(receiver.waiting).toBeGreaterThan(100_000);
    random.fill(0); // what it keeps is a copy
    expect(receiver.flush()).toBe(false);
    while (!receiver.flush()) {
      pipe.resume();
      pipe.pause();
    }
    pipe.resume();
    expect(all().equals(Buffer.concat(sent))).toBe(true);
    receiver.close();
    expect(receiver.warnings).toEqual([]);
    closeFd(pipe.writeFd);
  });

  test("a reader that is gone is no fault, and is told by isGone", () => {
    const { pipe } = slowPipe();
    const receiver = new DescriptorReceiver(pipe.writeFd, "standard output");
    expect(receiver.take(bytes("word"))).toBe(true);
    expect(receiver.isGone).toBe(false);
    pipe.close();
    expect(receiver.take(bytes("word"))).toBe(true);
    expect(receiver.isGone).toBe(true);
    expect(receiver.take(bytes("word"))).toBe(true);
    receiver.close();
    expect(receiver.warnings).toEqual([]);
    closeFd(pipe.writeFd);
  });

  test("says how much is lost when nobody has taken it by the end", () => {
    const { pipe } = slowPipe();
    const receiver = new DescriptorReceiver(pipe.writeFd, "standard output");
    receiver.take(new Uint8Array(pipe.capacity + 123));
    receiver.close();
    expect(receiver.warnings).toEqual(["standard output: 123 bytes of output were lost"]);
    pipe.close();
    closeFd(pipe.writeFd);
  });

  test("a full device: told once, with all that is lost; it is not tried again", () => {
    const receiver = new DescriptorReceiver(openSync("/dev/full", "w"), "/dev/full");
    for (let n = 0; n < 10; n++) expect(receiver.take(bytes("word"))).toBe(true);
    receiver.close();
    expect(receiver.warnings).toEqual([
      "/dev/full: no space left on device",
      "/dev/full: 40 bytes of output were lost",
    ]);
    expect(receiver.isGone).toBe(false);
  });
});

describe("FileReceiver", () => {
  function fileScene() {
    const work = temporaryFolder();
    const clock = { ms: 0 };
    const path = join(work.path, "out");
    const receiver = new FileReceiver(path, () => clock.ms);
    return {
      path,
      clock,
      receiver,
      read: (name = path) => readFileSync(name, "utf8"),
      [Symbol.dispose]: () => work[Symbol.dispose](),
    };
  }

  test("appends, and makes the file for owner and group", () => {
    using scene = fileScene();
    scene.receiver.take(bytes("one\n"));
    writeFileSync(scene.path, "between\n", { flag: "a" });
    scene.receiver.take(bytes("two\n"));
    scene.receiver.close();
    expect(scene.read()).toBe("one\nbetween\ntwo\n");
    expect(statSync(scene.path).mode & 0o137).toBe(0);
  });

  test("goes on in the new file when the old one was renamed, looking once a second", () => {
    using scene = fileScene();
    scene.receiver.take(bytes("one\n"));
    renameSync(scene.path, `${scene.path}.1`);
    scene.clock.ms = 999;
    scene.receiver.take(bytes("two\n"));
    scene.clock.ms = 1000;
    scene.receiver.take(bytes("three\n"));
    writeFileSync(`${scene.path}.2`, "");
    renameSync(`${scene.path}.2`, scene.path); // with `create`, the new one is logrotate's
    scene.clock.ms = 2500;
    scene.receiver.take(bytes("four\n"));
    scene.receiver.close();
    expect(scene.read(`${scene.path}.1`)).toBe("one\ntwo\n");
    expect(scene.read()).toBe("four\n");
    expect(scene.receiver.warnings).toEqual([]);
  });

  test("goes on at the beginning of a file that was emptied", () => {
    using scene = fileScene();
    scene.receiver.take(bytes("one\n"));
    writeFileSync(scene.path, "");
    scene.receiver.take(bytes("two\n"));
    scene.receiver.close();
    expect(scene.read()).toBe("two\n");
  });

  test("keeps the old one where the new one can't be opened, and says so once", () => {
    using scene = fileScene();
    scene.receiver.take(bytes("one\n"));
    renameSync(scene.path, `${scene.path}.1`);
    mkdirSync(scene.path);
    for (let n = 1; n < 20; n++) {
      scene.clock.ms += 1500;
      expect(scene.receiver.take(bytes("x"))).toBe(true);
    }
    scene.receiver.close();
    expect(scene.read(`${scene.path}.1`)).toBe(`one\n${"x".repeat(19)}`);
    expect(scene.receiver.warnings).toEqual([`can't write output to ${scene.path}: is a directory`]);
    rmSync(scene.path, { recursive: true });
  });

  test("a disk that has room again after rotation is written to again", () => {
    using scene = fileScene();
    rmSync(scene.path);
    Bun.spawnSync(["ln", "-s", "/dev/full", scene.path]);
    const receiver = new FileReceiver(scene.path, () => scene.clock.ms);
    receiver.take(bytes("lost"));
    rmSync(scene.path);
    scene.clock.ms = 1500;
    receiver.take(bytes("kept"));
    receiver.close();
    expect(scene.read()).toBe("kept");
    expect(receiver.warnings.at(-1)).toContain("4 bytes of output were lost");
  });

  test("a FIFO that nobody reads is refused, not waited for", () => {
    using work = temporaryFolder();
    const path = join(work.path, "fifo");
    Bun.spawnSync(["mkfifo", path]);
    const receiver = new FileReceiver(path);
    expect(receiver.take(bytes("word"))).toBe(true);
    receiver.close();
    expect(receiver.warnings).toEqual([`can't write output to ${path}: no such device or address`]);
  });
});

describe("LogReceiver", () => {
  function logScene() {
    const lines: string[] = [];
    const state = { isBusy: false };
    const receiver = new LogReceiver(
      (line) => lines.push(line),
      () => state.isBusy,
    );
    return { lines, state, receiver };
  }

  test("gives line by line, whatever the pieces, and the last one without an end", () => {
    const { lines, receiver } = logScene();
    for (const byte of bytes("one\n\nzwölf\r\n€uro\nlast")) receiver.take(new Uint8Array([byte]));
    receiver.close();
    expect(lines).toEqual(["one", "zwölf", "€uro", "last"]);
  });

  test("gives a long line in several, and nothing of it is lost", () => {
    const { lines, receiver } = logScene();
    const long = Array.from({ length: 20_000 }, (_, n) => String.fromCharCode(97 + (n % 26))).join("");
    receiver.take(bytes(`${long}\nshort\n${long}`));
    receiver.close();
    expect(lines.filter((line) => line.length > 4000)).toEqual([]);
    expect(lines.join("")).toBe(`${long}short${long}`);
  });

  test("shows what is not printable", () => {
    const { lines, receiver } = logScene();
    receiver.take(new Uint8Array([27, 91, 49, 109, 0, 255, 10]));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/[\x00-\x1f]/);
  });

  test("waits while the log is busy, and loses nothing", () => {
    const { lines, state, receiver } = logScene();
    state.isBusy = true;
    expect(receiver.take(bytes("no line yet"))).toBe(true);
    expect(receiver.take(bytes("\ntwo\nthree"))).toBe(false);
    expect(receiver.flush()).toBe(false);
    expect(lines).toEqual([]);
    state.isBusy = false;
    expect(receiver.flush()).toBe(true);
    expect(lines).toEqual(["no line yet", "two"]);
    receiver.close();
    expect(lines).toEqual(["no line yet", "two", "three"]);
  });
});

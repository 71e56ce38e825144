import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, writeSync } from "node:fs";
import { closeFd, PipeReader } from "../../src/system/pipe.ts";

setDefaultTimeout(20_000);

interface Heard {
  readonly pipe: PipeReader;
  readonly bytes: () => number;
  readonly text: () => string;
  readonly ended: Promise<void>;
  readonly isEmpty: Promise<void>;
  hasRoom: boolean;
}

function listen(): Heard {
  const pieces: Uint8Array[] = [];
  const ended = Promise.withResolvers<void>();
  const isEmpty = Promise.withResolvers<void>();
  const pipe = PipeReader.open({
    onBytes: (bytes) => {
      pieces.push(bytes.slice());
      return heard.hasRoom;
    },
    onEmpty: () => isEmpty.resolve(),
    onEnd: () => ended.resolve(),
  });
  if ("code" in pipe) throw new Error(pipe.text);
  const heard: Heard = {
    pipe,
    bytes: () => pieces.reduce((sum, { length }) => sum + length, 0),
    text: () => Buffer.concat(pieces).toString(),
    ended: ended.promise,
    isEmpty: isEmpty.promise,
    hasRoom: true,
  };
  return heard;
}

const descriptors = () => readdirSync("/proc/self/fd").length;

/** Starts a shell script that writes into the pipe, and closes our end of it. */
function write(heard: Heard, script: string) {
  const child = Bun.spawn(["sh", "-c", script], { stdio: ["ignore", heard.pipe.writeFd, "inherit"] });
  closeFd(heard.pipe.writeFd);
  return child;
}

describe("PipeReader", () => {
  test("gives what a child writes, at once, and tells of the end", async () => {
    const heard = listen();
    const begun = performance.now();
    const child = write(heard, "echo first; sleep 0.3; echo second");
    while (heard.text() === "") await Bun.sleep(1);
    // The look once a second would be later.
    expect(performance.now() - begun).toBeLessThan(290);
    await heard.ended;
    expect(heard.text()).toBe("first\nsecond\n");
    expect(performance.now() - begun).toBeLessThan(900);
    await child.exited;
  });

  test("gives many megabytes whole, and lets others have their turn", async () => {
    const heard = listen();
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    write(heard, "head -c 200000000 /dev/zero");
    await heard.ended;
    clearInterval(ticking);
    expect(heard.bytes()).toBe(200_000_000);
    expect(turns).toBeGreaterThan(5);
  });

  test("gives single bytes whole, and hears another signal beside them", async () => {
    const heard = listen();
    let signals = 0;
    const count = () => signals++;
    process.on("SIGUSR2", count);
    const child = write(
      heard,
      `kill -USR2 ${process.pid}; dd if=/dev/zero bs=1 count=300000 status=none; kill -USR2 ${process.pid}`,
    );
    await heard.ended;
    await child.exited;
    await Bun.sleep(20);
    process.off("SIGUSR2", count);
    expect(heard.bytes()).toBe(300_000);
    expect(signals).toBe(2);
  });

  test("gives nothing while it has no room, and goes on with nothing lost", async () => {
    const heard = listen();
    heard.hasRoom = false;
    const child = write(heard, "head -c 3000000 /dev/zero");
    while (heard.bytes() === 0) await Bun.sleep(1);
    const first = heard.bytes();
    await Bun.sleep(1200);
    expect(heard.bytes()).toBe(first);
    expect(child.exitCode).toBeNull();
    heard.hasRoom = true;
    heard.pipe.resume();
    await heard.ended;
    expect(heard.bytes()).toBe(3_000_000);
  });

  test("tells when the pipe is empty", async () => {
    const heard = listen();
    writeSync(heard.pipe.writeFd, "words");
    heard.pipe.read();
    await heard.isEmpty;
    expect(heard.text()).toBe("words");
    closeFd(heard.pipe.writeFd);
    await heard.ended;
  });

  test("closed, it gives nothing more, also when it is closed while it gives; who writes then gets SIGPIPE", async () => {
    let calls = 0;
    const before = descriptors();
    const pipe = PipeReader.open({
      onBytes: (_, from) => {
        calls++;
        from.close();
        return true;
      },
      onEnd: () => {
        throw new Error("told of an end after it was closed");
      },
    });
    if ("code" in pipe) throw new Error(pipe.text);
    const child = Bun.spawn(["yes"], { stdio: ["ignore", pipe.writeFd, "ignore"] });
    closeFd(pipe.writeFd);
    await child.exited;
    expect(child.signalCode).toBe("SIGPIPE");
    expect(calls).toBe(1);
    pipe.close();
    pipe.read();
    pipe.resume();
    expect(descriptors()).toBeLessThanOrEqual(before);
  });

  test("a hundred at once", async () => {
    const all = Array.from({ length: 100 }, listen);
    for (const heard of all) write(heard, "echo a; echo b");
    await Promise.all(all.map(({ ended }) => ended));
    for (const heard of all) expect(heard.text()).toBe("a\nb\n");
  });
});

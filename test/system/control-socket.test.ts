/** The socket between rcronctl and rcrond: real sockets in a temporary folder, and a handler for the daemon. */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { ControlAnswer, ControlRequest } from "../../src/model/control-message.ts";
import { Problem } from "../../src/model/problem.ts";
import { askDaemon } from "../../src/system/control-client.ts";
import {
  type ControlHandler,
  type ControlOptions,
  type ControlServer,
  listenForControl,
} from "../../src/system/control-socket.ts";
import type { Peer } from "../../src/system/peer.ts";
import { describeWith } from "../support/debian.ts";
import { project, run, temporaryFolder } from "../support/program.ts";

setDefaultTimeout(60_000);

const scratch = temporaryFolder();
afterAll(() => scratch[Symbol.dispose]());
chmodSync(scratch.path, 0o755);
const open: ControlServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});
let sockets = 0;
const newPath = () => join(scratch.path, `${sockets++}.sock`);

function listen(
  path: string,
  onRequest: ControlHandler,
  options: Partial<ControlOptions> = {},
): ControlServer {
  const server = listenForControl({ path, onRequest, ...options });
  if (server instanceof Problem) throw server;
  open.push(server);
  return server;
}

const resumed: ControlAnswer = { told: "done", result: { kind: "resume", ended: [] } };
const answering: ControlHandler = async () => resumed;
const resume: ControlRequest = { ask: "resume" };

/** Waits for what is bound to come. */
async function until(isSo: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 20_000; !isSo(); await Bun.sleep(5)) {
    if (performance.now() > endMs) throw new Error("it has not come");
  }
}

/** Sockets that this process has open. */
function openSockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // the folder itself
    }
  }).length;
}

/** Sends bytes as they are, and gives all that comes until the other end hangs up. */
async function send(path: string, ...parts: (string | Uint8Array)[]): Promise<string> {
  const closed = Promise.withResolvers<void>();
  let text = "";
  const socket = await Bun.connect({
    unix: path,
    socket: {
      data: (_, bytes) => {
        text += bytes.toString();
      },
      close: () => closed.resolve(),
      error: () => closed.resolve(),
    },
  });
  for (const part of parts) {
    let rest = typeof part === "string" ? Buffer.from(part) : part;
    while (rest.length > 0 && socket.readyState === 1) {
      rest = rest.subarray(Math.max(0, socket.write(rest)));
      await Bun.sleep(1);
    }
  }
  await closed.promise;
  return text;
}

describe("a request", () => {
  test("is answered, and the asker is who the kernel says", async () => {
    const path = newPath();
    const heard: [ControlRequest, Peer][] = [];
    listen(path, async (request, peer) => {
      heard.push([request, peer]);
      return resumed;
    });
    const request: ControlRequest = { ask: "pause", job: "a/b", untilMs: 5, why: "ä\n" };
    expect(await askDaemon(path, request)).toEqual({ kind: "resume", ended: [] });
    const peer = { pid: process.pid, uid: process.geteuid?.() ?? -1, gid: process.getegid?.() ?? -1 };
    expect(heard).toEqual([[request, peer]]);
  });

  test("of run --follow is heard at once, told as it goes, in order and whole", async () => {
    const path = newPath();
    const chunk = Buffer.alloc(48_000, 7).toString("base64");
    listen(path, async (_, __, tell) => {
      tell({ told: "started", run: "r1" });
      for (let at = 0; at < 40; at++) tell({ told: "output", bytes: chunk });
      return { told: "done", result: { kind: "run", run: "r1", sentence: "succeeded", exitStatus: 3 } };
    });
    const told: string[] = [];
    const result = await askDaemon(
      path,
      { ask: "run", job: "a", follow: true },
      {
        onAnswer: async (answer) => {
          told.push(answer.told === "output" ? String(answer.bytes.length) : answer.told);
          await Bun.sleep(2); // so that the daemon has hung up long before all is told
        },
      },
    );
    expect(result).toEqual({ kind: "run", run: "r1", sentence: "succeeded", exitStatus: 3 });
    expect(told).toEqual(["heard", "started", ...Array.from({ length: 40 }, () => "64000")]);
  });

  test("may be answered in many megabytes", async () => {
    const path = newPath();
    const jobs = Array.from({ length: 30_000 }, (_, at) => ({
      job: `folder/job-${at}`,
      where: `/etc/rcron/jobs.d/folder/job-${at}:2`,
      schedule: "*/5 * * * *",
      nextMs: at,
      running: 0,
      waiting: 0,
      isCluster: false,
      description: "x".repeat(100),
    }));
    listen(path, async () => ({ told: "done", result: { kind: "jobs", jobs } }));
    expect(await askDaemon(path, { ask: "jobs" })).toEqual({ kind: "jobs", jobs });
  });

  test("whose handler throws is refused: a Problem as it is, anything else without its words", async () => {
    const path = newPath();
    const faults: unknown[] = [];
    const fault = new Error("secret");
    listen(
      path,
      async (request) => {
        throw request.ask === "status"
          ? new Problem("not-found", "no such job", { hint: "try another" })
          : fault;
      },
      { onFault: (error) => faults.push(error) },
    );
    const told = await askDaemon(path, { ask: "status" });
    expect(told).toMatchObject({ code: "not-found", message: "no such job", hint: "try another" });
    const internal = await askDaemon(path, { ask: "reload" });
    expect(internal).toMatchObject({
      code: "internal",
      message: "rcrond could not answer: its log says why",
    });
    expect(faults).toEqual([fault]);
  });

  test("that its asker gives up is known to the handler", async () => {
    const path = newPath();
    const gone = Promise.withResolvers<void>();
    listen(path, async (_, __, ___, signal) => {
      signal.addEventListener("abort", () => gone.resolve());
      await gone.promise;
      return resumed;
    });
    const abort = new AbortController();
    const asked = askDaemon(
      path,
      { ask: "run", job: "a", follow: true },
      { signal: abort.signal, onAnswer: () => abort.abort() },
    );
    expect(await asked).toMatchObject({ code: "unreachable" });
    await gone.promise;
  });

  test.each([
    ["no JSON", "status\n", "a request must be one line of JSON, an object"],
    ["nothing", "\n", "a request must be one line of JSON, an object"],
    ["a list", "[]\n", "a request must be one line of JSON, an object"],
    ["an unknown word", '{"ask":"stauts"}\n', "ask must be one of"],
    ["a name of every object", '{"ask":"constructor"}\n', "ask must be one of"],
    ["a wrong type", '{"ask":"run","job":1}\n', "a request for run must have its own keys and no others"],
    ["a key too many", '{"ask":"status","job":"a"}\n', "a request for status must have"],
    ["a line too long", `{"ask":"status","x":"${"y".repeat(65_536)}"}\n`, "must not be longer than 64 kB"],
    ["no end", "z".repeat(70_000), "must not be longer than 64 kB"],
  ])("that is %s is refused", async (_, text, message) => {
    const path = newPath();
    listen(path, answering);
    const [line, ...rest] = (await send(path, text)).split("\n");
    expect(rest).toEqual([""]);
    expect(JSON.parse(line ?? "")).toMatchObject({ told: "refused", code: "invalid" });
    expect(JSON.parse(line ?? "").message).toContain(message);
  });

  test("that comes byte by byte is one, and what comes behind it is passed over", async () => {
    const path = newPath();
    let count = 0;
    listen(path, async () => {
      count++;
      return resumed;
    });
    const text = await send(path, ...'{"ask":"resume"}\n', '{"ask":"resume"}\n{"ask":"resume"}\n');
    expect(text).toBe(`${JSON.stringify(resumed)}\n`);
    expect(count).toBe(1);
  });

  test("that does not come is not waited for", async () => {
    const path = newPath();
    listen(path, answering, { bounds: { requestMs: 50 } });
    expect(await send(path, '{"ask"')).toContain('"refused"');
  });

  test("of random bytes never does harm: one line that refuses, or nothing, and the next one is answered", async () => {
    const path = newPath();
    const faults: unknown[] = [];
    const before = openSockets();
    listen(path, answering, { bounds: { requestMs: 100 }, onFault: (error) => faults.push(error) });
    const pieces = [
      "{",
      "}",
      '"',
      '"ask":',
      '"run"',
      ":",
      ",",
      "\n",
      "\0",
      "\\",
      "[",
      "null",
      "\ud800",
      "1e999",
    ];
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 0x7fff_ffff;
      return seed % below;
    };
    const one = async () => {
      const length = random(40);
      const text = Array.from({ length }, () => pieces[random(pieces.length)]).join("");
      const bytes = crypto.getRandomValues(new Uint8Array(random(3000)));
      const told = await send(path, random(2) === 0 ? bytes : text, random(2) === 0 ? "\n" : "");
      const lines = told.split("\n").slice(0, -1);
      expect(lines.length).toBe(1);
      expect(JSON.parse(lines[0] ?? "")).toMatchObject({ told: "refused", code: "invalid" });
    };
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 20 }, one));
    expect(faults).toEqual([]);
    expect(await askDaemon(path, resume)).toEqual({ kind: "resume", ended: [] });
    await until(() => openSockets() <= before + 1);
  });
});

describe("a slow reader", () => {
  /** Connects, asks to follow, and reads nothing. */
  const silent = async (path: string) => {
    const socket = await Bun.connect({ unix: path, socket: { data: () => {} } });
    socket.pause();
    socket.write('{"ask":"run","job":"a","follow":true}\n');
    return socket;
  };
  const output: ControlAnswer = { told: "output", bytes: Buffer.alloc(48_000).toString("base64") };

  test("is dropped when too much waits for him, and whoever tells hears nothing of it", async () => {
    const path = newPath();
    const gone = Promise.withResolvers<number>();
    listen(path, async (_, __, tell, signal) => {
      let count = 0;
      while (!signal.aborted && count < 10_000) {
        tell(output);
        count++;
      }
      tell(output);
      gone.resolve(count);
      return resumed;
    });
    const socket = await silent(path);
    expect(await gone.promise).toBeLessThan(200);
    socket.terminate();
    expect(await askDaemon(path, { ask: "run", job: "a" })).toMatchObject({ code: "unreachable" });
  });

  test("is dropped when he takes nothing for too long", async () => {
    const path = newPath();
    const gone = Promise.withResolvers<void>();
    listen(
      path,
      async (_, __, tell, signal) => {
        signal.addEventListener("abort", () => gone.resolve());
        for (let at = 0; at < 20; at++) tell(output);
        await gone.promise;
        return resumed;
      },
      { bounds: { stallMs: 50 } },
    );
    const socket = await silent(path);
    await gone.promise;
    socket.terminate();
  });

  test("is dropped behind the last line, too", async () => {
    const path = newPath();
    const before = openSockets();
    listen(
      path,
      async (_, __, tell) => {
        for (let at = 0; at < 20; at++) tell(output);
        return resumed;
      },
      { bounds: { stallMs: 50 } },
    );
    const socket = await silent(path);
    await until(() => openSockets() === before + 2); // the listener, and this end
    socket.terminate();
  });
});

describe("connections", () => {
  test("above the bound are refused in a line that says so, and free places are taken again", async () => {
    const path = newPath();
    const go = Promise.withResolvers<void>();
    let asked = 0;
    listen(
      path,
      async () => {
        asked++;
        await go.promise;
        return resumed;
      },
      { bounds: { connections: 100 } },
    );
    const first = Array.from({ length: 100 }, () => askDaemon(path, resume));
    await until(() => asked === 100);
    const surplus = await Promise.all(Array.from({ length: 30 }, () => askDaemon(path, resume)));
    for (const answer of surplus) {
      expect(answer).toMatchObject({ code: "conflict", message: "rcrond answers 100 at a time: try again" });
    }
    go.resolve();
    for (const answer of await Promise.all(first)) expect(answer).toEqual({ kind: "resume", ended: [] });
    expect(await askDaemon(path, resume)).toEqual({ kind: "resume", ended: [] });
    expect(asked).toBe(101);
  });

  test("that wait are told when the daemon ends, and the socket is gone", async () => {
    const path = newPath();
    let asked = 0;
    const server = listen(path, async () => {
      asked++;
      return new Promise<never>(() => {});
    });
    const waiting = askDaemon(path, resume);
    await until(() => asked === 1);
    await server.close();
    expect(await waiting).toMatchObject({ code: "unreachable", message: "rcrond ends" });
    expect(existsSync(path)).toBe(false);
    expect(await askDaemon(path, resume)).toMatchObject({
      code: "unreachable",
      message: `no rcrond answers on ${path}`,
    });
  });
});

describe("the socket", () => {
  test("is its owner's alone from its first moment, in a folder that is made", () => {
    const path = join(scratch.path, "made/for/it/rcrond.sock");
    const before = process.umask(0);
    try {
      listen(path, answering);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const isRoot = process.geteuid?.() === 0;
    expect(statSync(join(scratch.path, "made/for")).mode & 0o777).toBe(isRoot ? 0o755 : 0o700);
  });

  test("of a dead daemon is replaced, a live one's is not", async () => {
    const path = newPath();
    const script = `import socket, os; s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(path)}); s.listen()`;
    expect((await run(["python3", "-c", script])).exitCode).toBe(0);
    expect(existsSync(path)).toBe(true);
    expect(await askDaemon(path, resume)).toMatchObject({ code: "unreachable" });
    listen(path, answering);
    const second = listenForControl({ path, onRequest: answering });
    expect(second).toMatchObject({
      code: "conflict",
      message: `${path}: another process listens on this socket`,
    });
    expect(await askDaemon(path, resume)).toEqual({ kind: "resume", ended: [] });
  });

  test("of a daemon that is alive and accepts nobody is not replaced", async () => {
    const path = newPath();
    const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
print("full", flush=True); sys.stdin.read()`;
    const child = Bun.spawn(["python3", "-c", script, path], { stdin: "pipe", stdout: "pipe" });
    try {
      await child.stdout.getReader().read();
      expect(listenForControl({ path, onRequest: answering })).toMatchObject({ code: "conflict" });
      expect(await askDaemon(path, resume)).toMatchObject({
        message: `rcrond does not answer on ${path}: too many wait for it`,
      });
    } finally {
      child.kill();
    }
  });

  test.each([
    ["a file", (path: string) => writeFileSync(path, "precious")],
    ["a folder", (path: string) => mkdirSync(path)],
    ["a symlink", (path: string) => symlinkSync(join(scratch.path, "elsewhere"), path)],
  ])("does not take the place of %s", (_, make) => {
    const path = newPath();
    make(path);
    expect(listenForControl({ path, onRequest: answering })).toMatchObject({
      code: "conflict",
      message: `${path}: must be a socket: something else is in its place`,
    });
    expect(existsSync(join(scratch.path, "elsewhere"))).toBe(false);
  });

  test.each(["rcrond.sock", `/${"x".repeat(107)}`, "/tmp/a\0b", ""])(
    "must have a path that fits: %#",
    async (path) => {
      expect(listenForControl({ path, onRequest: answering })).toMatchObject({ code: "invalid" });
      expect(await askDaemon(path, resume)).toMatchObject({ code: "invalid" });
    },
  );
});

describe("an answer", () => {
  /** A daemon that says these bytes whatever it is asked. */
  const saying = (path: string, bytes: string | Uint8Array, isHungUp = true) => {
    const listener = Bun.listen({
      unix: path,
      socket: {
        data: (socket) => {
          socket.write(bytes);
          if (isHungUp) socket.terminate();
        },
      },
    });
    return { [Symbol.dispose]: () => listener.stop(true) };
  };

  test.each([
    ["none", "", "unreachable", "has gone before it had answered"],
    ["half a line", '{"told":"done"', "unreachable", "has gone before it had answered"],
    ["no JSON", "hello\n", "internal", "none that this version understands"],
    ["of a later version", '{"told":"maybe"}\n', "internal", "none that this version understands"],
    ["a result of another kind", '{"told":"done","result":{"kind":"song"}}\n', "internal", "none that"],
    ["random", crypto.getRandomValues(new Uint8Array(5000)), undefined, ""],
  ])("that is %s is a Problem", async (_, bytes, code, message) => {
    const path = newPath();
    using _daemon = saying(path, bytes);
    const answer = await askDaemon(path, resume);
    if (!(answer instanceof Problem)) throw new Error("an answer was read from nothing");
    if (code !== undefined) expect(answer.code).toBe(code as Problem["code"]);
    expect(answer.message).toContain(message);
  });

  test("that does not come is not waited for; behind a first line it may take its time", async () => {
    const path = newPath();
    {
      using _daemon = saying(path, "", false);
      const answer = await askDaemon(path, resume, { timeoutMs: 50 });
      expect(answer).toMatchObject({ code: "unreachable", message: expect.stringContaining("for 0.05 s") });
    }
    const listener = Bun.listen({
      unix: path,
      socket: {
        data: async (socket) => {
          socket.write('{"told":"heard"}\n');
          await Bun.sleep(200);
          socket.write(`${JSON.stringify(resumed)}\n`);
        },
      },
    });
    const answer = await askDaemon(path, { ask: "run", job: "a", follow: true }, { timeoutMs: 50 });
    listener.stop(true);
    expect(answer).toEqual({ kind: "resume", ended: [] });
  });

  test("whose hearer throws is the asker's own affair", async () => {
    const path = newPath();
    listen(path, answering);
    const onAnswer = () => {
      throw new Error("no room on the disk");
    };
    expect(askDaemon(path, { ask: "run", job: "a", follow: true }, { onAnswer })).rejects.toThrow("no room");
  });
});

/** Asks as somebody else, in a process of his own; the answer as JSON. */
describeWith("another user", ["root", "setpriv"], () => {
  const nobody = 65_534;
  const group = 4321;
  const ask = async (path: string, ...identity: string[]) => {
    const script = `
      const { askDaemon } = await import(${JSON.stringify(join(project, "src/system/control-client.ts"))});
      let answer;
      // Often, because whoever is refused at once may still be sending his request.
      for (let at = 0; at < 30; at++) {
        const each = await askDaemon(process.argv.at(-1), { ask: "resume" });
        if (answer !== undefined && (each.code !== answer.code || each.kind !== answer.kind)) throw each;
        answer = each;
      }
      console.log(JSON.stringify({ code: answer.code, kind: answer.kind, hint: answer.hint }));`;
    // The runtime itself must be readable for him, wherever this project lies.
    const ended = await run(["setpriv", ...identity, "--", process.execPath, "-e", script, path], {
      cwd: "/",
      env: { PATH: process.env["PATH"], HOME: "/" },
      timeoutMs: 20_000,
    });
    return ended.exitCode === 0 ? JSON.parse(ended.stdout) : ended;
  };
  const asNobody = [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];

  test("is kept out by the socket's mode", async () => {
    const path = newPath();
    listen(path, answering);
    const hint = "root may, and the members of socket_group in rcron.conf";
    expect(await ask(path, ...asNobody)).toEqual({ code: "denied", hint });
  });

  test("is refused by what the kernel says of him, where the mode lets him in", async () => {
    const path = newPath();
    listen(path, answering, { groupGid: group });
    chmodSync(path, 0o666);
    expect(await ask(path, ...asNobody)).toEqual({ code: "denied" });
  });

  test.each([
    ["his first group", [`--reuid=${nobody}`, `--regid=${group}`, "--clear-groups"]],
    ["another one of his", [`--reuid=${nobody}`, `--regid=${nobody}`, `--groups=17,${group},18`]],
  ])("may ask by %s", async (_, identity) => {
    const path = newPath();
    listen(path, answering, { groupGid: group });
    expect(statSync(path)).toMatchObject({ uid: 0, gid: group, mode: 0o140660 });
    expect(await ask(path, ...identity)).toEqual({ kind: "resume" });
  });

  test("may ask if he has more groups than fit at first", async () => {
    const path = newPath();
    listen(path, answering, { groupGid: group });
    const groups = [...Array.from({ length: 100 }, (_, at) => at + 1000), group].join(",");
    const identity = [`--reuid=${nobody}`, `--regid=${nobody}`, `--groups=${groups}`];
    expect(await ask(path, ...identity)).toEqual({ kind: "resume" });
  });

  test("may ask as the owner whom the configuration names", async () => {
    const path = newPath();
    listen(path, answering, { ownerUid: nobody });
    expect(statSync(path)).toMatchObject({ uid: nobody, mode: 0o140600 });
    expect(await ask(path, ...asNobody)).toEqual({ kind: "resume" });
  });

  test("is kept out of a folder that is not his, and told so", async () => {
    const folder = join(scratch.path, "shut");
    mkdirSync(folder, { mode: 0o700 });
    chownSync(folder, 0, 0);
    const path = join(folder, "rcrond.sock");
    listen(path, answering, { groupGid: group });
    expect(await ask(path, ...asNobody)).toMatchObject({ code: "denied" });
  });
});

/** What a manager hears: real datagrams at a real socket, of each kind that NOTIFY_SOCKET can name. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type ServiceManager, serviceManager } from "../../src/system/sd-notify.ts";
import { describeWith } from "../support/debian.ts";
import { run, temporaryFolder } from "../support/program.ts";

setDefaultTimeout(60_000);

/** Binds a socket, prints what it hears as lines of JSON, up to a datagram that says END, and before and behind its clock. */
const receiver = `
import json, socket, sys, time
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = sys.argv[1]
server.bind("\\0" + address[1:] if address[0] == "@" else address)
print(time.monotonic_ns() // 1000, flush=True)
if sys.argv[2] == "deaf":
    sys.stdin.read()
while True:
    heard = server.recv(65536).decode()
    print(json.dumps(heard), flush=True)
    if heard == "STATUS=END":
        break
print(time.monotonic_ns() // 1000)
`;

interface Receiver extends AsyncDisposable {
  /** Whatever was heard up to the status END, and the microseconds of CLOCK_MONOTONIC before and after. */
  heard(): Promise<{ messages: string[]; fromUs: number; toUs: number }>;
}

async function listen(address: string, mode: "reads" | "deaf" = "reads"): Promise<Receiver> {
  const child = Bun.spawn(["python3", "-c", receiver, address, mode], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    timeout: 50_000,
  });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the receiver has not bound its socket");
    text += decoder.decode(value, { stream: true });
  }
  return {
    heard: async () => {
      child.stdin.end();
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
        text += decoder.decode(chunk.value, { stream: true });
      }
      const lines = text.trimEnd().split("\n");
      const messages = lines.slice(1, -1).map((line) => JSON.parse(line) as string);
      return { messages, fromUs: Number(lines[0]), toUs: Number(lines.at(-1)) };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

function tellAll(manager: ServiceManager): void {
  manager.ready("12 jobs");
  manager.status("3 runs\nREADY=0 \u0001");
  manager.reloading();
  manager.ready(`${"é".repeat(499)}\u{1f600}`);
  manager.watchdog();
  manager.stopping(90_000.5);
  manager.status("END");
}

describeWith("serviceManager()", ["python3"], () => {
  const folder = temporaryFolder();
  afterAll(() => folder[Symbol.dispose]());

  test.each([
    ["a path", join(folder.path, "notify")],
    ["a path as long as they come", join(folder.path, "x".repeat(107 - folder.path.length - 1))],
    ["an abstract name", `@rcron-test-${process.pid}-${Date.now()}`],
  ])("tells a socket with %s everything, each in one datagram", async (_, address) => {
    await using manager = await listen(address);
    tellAll(serviceManager({ NOTIFY_SOCKET: address }));
    const { messages, fromUs, toUs } = await manager.heard();
    const [ready, status, reloading = "", again = "", watchdog, stopping, end, ...more] = messages;
    expect([ready, status, watchdog, stopping, end]).toEqual([
      "READY=1\nSTATUS=12 jobs",
      "STATUS=3 runs READY=0  ",
      "WATCHDOG=1",
      "STOPPING=1\nEXTEND_TIMEOUT_USEC=90001000",
      "STATUS=END",
    ]);
    expect(more).toEqual([]);
    // systemd takes no reload for this one whose clock is another one's.
    const [, microseconds = "0"] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading) ?? [];
    expect(Number(microseconds)).toBeWithin(fromUs, toUs + 1);
    expect(again).toBe(`READY=1\nSTATUS=${"é".repeat(499)}\ufffd`);
  });

  test("neither waits for a manager that does not read, nor throws; what it reads later is whole", async () => {
    const address = join(folder.path, "deaf");
    await using deaf = await listen(address, "deaf");
    const manager = serviceManager({ NOTIFY_SOCKET: address });
    for (let count = 0; count < 5000; count++) manager.status(`number ${count}`);
    const reading = deaf.heard();
    const again = setInterval(() => manager.status("END"), 20);
    const { messages: heard } = await reading;
    clearInterval(again);
    expect(heard[0]).toBe("STATUS=number 0");
    expect(heard.length).toBeLessThan(5000);
    expect(heard.at(-1)).toBe("STATUS=END");
  });

  test("finds a manager that was restarted", async () => {
    const address = `@rcron-test-again-${process.pid}-${Date.now()}`;
    const manager = serviceManager({ NOTIFY_SOCKET: address });
    manager.status("nobody listens");
    for (let round = 0; round < 2; round++) {
      await using receiver = await listen(address);
      manager.status("END");
      expect(await receiver.heard()).toMatchObject({ messages: ["STATUS=END"] });
    }
  });

  test("takes the variables out of the environment, for jobs that could speak in its name", () => {
    const environment = { NOTIFY_SOCKET: "/nowhere", WATCHDOG_USEC: "1", WATCHDOG_PID: "1", HOME: "/" };
    serviceManager(environment);
    expect(environment).toEqual({ HOME: "/" } as typeof environment);
  });

  test.each([
    undefined,
    "",
    "/",
    "@",
    "notify",
    "vsock:2:1234",
    "/nowhere/at/all",
    `/${"x".repeat(200)}`,
    `@${"x".repeat(200)}`,
  ])("NOTIFY_SOCKET=%s: nobody hears it, and nothing breaks", (address) => {
    expect(() => tellAll(serviceManager({ NOTIFY_SOCKET: address }))).not.toThrow();
  });

  const own = String(process.pid);
  test.each([
    { when: "the manager watches", usec: "30000000", pid: own, interval: 15_000 },
    { when: "it names no process", usec: "30000000", pid: undefined, interval: 15_000 },
    { when: "it is in a hurry", usec: "100", pid: own, interval: 1 },
    { when: "it watches another process", usec: "30000000", pid: "1", interval: undefined },
    { when: "it watches nobody", usec: undefined, pid: own, interval: undefined },
    { when: "it says 0", usec: "0", pid: own, interval: undefined },
    { when: "it says no number", usec: "-5", pid: own, interval: undefined },
    { when: "it says a number beyond all bounds", usec: "9".repeat(40), pid: own, interval: undefined },
  ])("$when: a sign of life every $interval ms", ({ usec, pid, interval }) => {
    const manager = serviceManager({ NOTIFY_SOCKET: "/nowhere", WATCHDOG_USEC: usec, WATCHDOG_PID: pid });
    expect(manager.watchdogIntervalMs).toBe(interval);
  });

  test("without a socket there is nobody to give a sign of life to", () => {
    expect(
      serviceManager({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: own }).watchdogIntervalMs,
    ).toBeUndefined();
  });
});

describeWith("start-stop-daemon, as a manager", ["start-stop-daemon"], () => {
  const source = join(import.meta.dir, "../../src/system/sd-notify.ts");
  const folder = temporaryFolder();
  afterAll(() => folder[Symbol.dispose]());

  /** @returns its exit status */
  async function start(name: string, deed: string): Promise<number> {
    const script = join(folder.path, `${name}.ts`);
    const pidFile = join(folder.path, `${name}.pid`);
    await Bun.write(
      script,
      `import { serviceManager } from ${JSON.stringify(source)};
       const manager = serviceManager(process.env);
       ${deed}
       setTimeout(() => {}, 60_000);`,
    );
    const { exitCode } = await run([
      ...["start-stop-daemon", "--start", "--background", "--make-pidfile", "--pidfile", pidFile],
      ...["--notify-await", "--notify-timeout", "5", "--startas", process.execPath, "--", script],
    ]);
    await run(["start-stop-daemon", "--stop", "--oknodo", "--remove-pidfile", "--pidfile", pidFile]);
    return exitCode;
  }

  test("takes the program for started when it is ready, and not before", async () => {
    expect(await start("ready", 'manager.status("loading"); manager.ready("12 jobs");')).toBe(0);
    expect(await start("mute", 'manager.status("loading"); manager.watchdog();')).not.toBe(0);
  });
});

/** `[daemon]` of rcron.conf: what rcrond makes of it, and what it refuses. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { daemonDefaults } from "../../src/gate/daemon-conf.ts";
import { daemonKeys, parseConf, readDaemonConf } from "../../src/gate/gate.ts";
import { parseJobSections } from "../../src/model/job-sections.ts";
import { Problem } from "../../src/model/problem.ts";
import { project } from "../support/program.ts";

async function read(text: string) {
  const parsed = parseConf(text, "f");
  return parsed instanceof Problem ? parsed : readDaemonConf({ conf: parsed.conf, path: "f" });
}

async function proven(text: string) {
  const conf = await read(text);
  if (conf instanceof Problem) throw conf;
  return conf;
}

async function refused(text: string): Promise<Problem> {
  const conf = await read(text);
  if (!(conf instanceof Problem)) throw new Error(`accepted: ${JSON.stringify(conf)}`);
  return conf;
}

describe("readDaemonConf()", () => {
  test.each(["", "cluster_name = a\n", "[daemon]\n", "[job]\ntimeout = 5m\n"])(
    "%j: the defaults",
    async (text) => {
      expect(await read(text)).toEqual({
        concurrency: 1000,
        stopTimeoutMs: 60_000,
        lookBackMs: 10_000,
        healthCheckMs: 10_000,
        runsPerNode: undefined,
        runsOnNodes: undefined,
        socket: undefined,
        socketOwner: undefined,
        socketGroup: undefined,
        stateFolder: undefined,
        log: "syslog",
      });
    },
  );

  test("every default, written down, is the default", async () => {
    const lines = Object.entries(daemonDefaults).map(([key, value]) => `${key} = ${value}\n`);
    expect(await read(`[daemon]\n${lines.join("")}`)).toEqual(await read(""));
  });

  test.each([
    ["concurrency = 1", { concurrency: 1 }],
    ["concurrency = 100000", { concurrency: 100_000 }],
    ["Concurrency: None", { concurrency: undefined }],
    ["stop_timeout = 1s", { stopTimeoutMs: 1000 }],
    ["stop_timeout hour", { stopTimeoutMs: 3_600_000 }],
    ["look_back = 2m", { lookBackMs: 120_000 }],
    ["look_back = NONE", { lookBackMs: 0 }],
    ["health_check_interval = 1s", { healthCheckMs: 1000 }],
    ["runs_per_node = 2", { runsPerNode: 2 }],
    ["runs_on_nodes = 100000", { runsOnNodes: 100_000 }],
    ["socket = /run/x.sock", { socket: "/run/x.sock" }],
    [`socket = /${"x".repeat(106)}`, { socket: `/${"x".repeat(106)}` }],
    ["socket = AUTO", { socket: undefined }],
    ["socket_owner = operator", { socketOwner: "operator" }],
    ["socket_owner = 1000", { socketOwner: "1000" }],
    ["socket_group = DOMAIN\\admins", { socketGroup: "DOMAIN\\admins" }],
    ["socket_group = auto", { socketGroup: undefined }],
    ["state_folder = '/srv/rcrond state'", { stateFolder: "/srv/rcrond state" }],
    ["log = Both", { log: "both" }],
    ["log = stderr", { log: "stderr" }],
  ] as const)("%s is understood", async (line, part) => {
    expect(await proven(`[daemon]\n${line}\n`)).toMatchObject(part);
  });

  test.each([
    ["before the rules of jobs", "[daemon]\nlog = both\n[job x]\nretry = 1\n"],
    ["behind them", "[job x]\nretry = 1\n\n [Daemon] \nlog = both\n"],
    ["between them", "[job]\nretry = 2\n[daemon]\nlog = both\n[job x]\nretry = 1\n"],
  ])("%s: read by rcrond, and the rules are what they would be without it", async (_, text) => {
    expect(await proven(text)).toMatchObject({ log: "both" });
    const parsed = parseConf(text, "f");
    if (parsed instanceof Problem) throw parsed;
    const sections = parseJobSections(parsed.conf.sections, "f");
    if (sections instanceof Problem) throw sections;
    expect(sections.jobs.get("x")?.map(({ key, text: value }) => [key, value])).toEqual([["retry", "1"]]);
  });

  test.each([
    "[daemon]\nno value\nconcurency = 1\n[job x]\nretry = 1\n",
    "[job x]\nretry = 1\n[daemon]\n=\n[daemon]\n",
  ])("%j: a slip in [daemon] keeps rcrond from starting, and no job of a crontab", async (text) => {
    await refused(text);
    const parsed = parseConf(text, "f");
    if (parsed instanceof Problem) throw parsed;
    expect(parseJobSections(parsed.conf.sections, "f")).not.toBeInstanceOf(Problem);
  });

  const count = "f:2: concurrency must be a whole number from 1 to 100000, or none: got";
  const time = "a whole number with s, m, h or d behind it, from 1s to 1000d";
  test.each([
    ["concurrency = 0", `${count} "0"`],
    ["concurrency = 100001", `${count} "100001"`],
    ["concurrency = -1", `${count} "-1"`],
    ["concurrency = 5.5", `${count} "5.5"`],
    ["concurrency = 1e3", `${count} "1e3"`],
    ["concurrency = many", `${count} "many"`],
    ["stop_timeout = 0", `f:2: stop_timeout must be ${time}: got "0"`],
    ["stop_timeout = none", `f:2: stop_timeout must be ${time}: got "none"`],
    ["health_check_interval = none", `f:2: health_check_interval must be ${time}: got "none"`],
    ["runs_per_node = 0", 'f:2: runs_per_node must be a whole number from 1 to 100000, or none: got "0"'],
    ["runs_on_nodes = x", 'f:2: runs_on_nodes must be a whole number from 1 to 100000, or none: got "x"'],
    ["look_back = 0s", `f:2: look_back must be ${time}, or none: got "0s"`],
    [
      "socket = run/x",
      'f:2: socket must be a socket\'s absolute path of at most 107 bytes, or auto: got "run/x"',
    ],
    [
      "socket = /run/x/",
      'f:2: socket must be a socket\'s absolute path of at most 107 bytes, or auto: got "/run/x/"',
    ],
    ["socket = @x", 'f:2: socket must be a socket\'s absolute path of at most 107 bytes, or auto: got "@x"'],
    ["socket_owner = a b", 'f:2: socket_owner must be a user\'s name or number, or auto: got "a b"'],
    ["socket_group = a:b", 'f:2: socket_group must be a group\'s name or number, or auto: got "a:b"'],
    ["state_folder = x", 'f:2: state_folder must be a folder\'s absolute path, or auto: got "x"'],
    ["log = none", 'f:2: log must be one of syslog, stderr, both: got "none"'],
    ["log = both\nlog = both", "f:3: log must be set once: it is set on line 2 already"],
    ["log = both\n[job]\n[daemon]", "f:4: [daemon] must stand once: it begins on line 1 already"],
    ["log", 'f:2: log must be given a value: got ""'],
  ])("%j is refused with its line, rule and value", async (lines, message) => {
    const problem = await refused(`[daemon]\n${lines}\n`);
    expect(problem).toMatchObject({ code: "invalid", message });
  });

  test("a socket's path is measured in bytes", async () => {
    expect((await refused(`[daemon]\nsocket = /${"é".repeat(54)}\n`)).message).toContain("at most 107 bytes");
    expect((await proven(`[daemon]\nsocket = /${"é".repeat(53)}\n`)).socket).toHaveLength(54);
  });

  test.each([
    ["concurency = 5", "did you mean concurrency?"],
    ["socket-group = adm", "did you mean socket_group?"],
    ["timeout = 5m", "it is a rule for jobs, and stands below [job] or [job NAME]"],
    ["state_file = /run/s", "it stands at the top level, above all sections"],
    ["constructor = x", expect.stringContaining("the keys are concurrency, stop_timeout")],
    ["__proto__ = x", undefined],
  ])("%s: a key that is none of its own is an error, with what is meant", async (line, hint) => {
    const problem = await refused(`[daemon]\n${line}\n`);
    expect(problem.where).toBe("f:2");
    if (hint === undefined) expect(problem.message).toContain("a line must be");
    else expect(problem.hint).toEqual(hint as string);
  });

  test("log = sylog is answered with the nearest word", async () => {
    expect((await refused("[daemon]\nlog = sylog\n")).hint).toBe("did you mean syslog?");
  });

  const anyText = fc.string({ unit: "binary", maxLength: 30 });
  const near = fc
    .array(
      fc.tuple(
        fc.constantFrom(
          "[daemon]",
          "[Daemon]\n",
          "[job]",
          "[job x]\n",
          "#",
          "timeout",
          "__proto__",
          ...Object.keys(daemonDefaults),
        ),
        fc.constantFrom("=", " = ", ":", " ", "", "\0"),
        fc.oneof(fc.constantFrom("none", "AUTO", "5m", "1000", "/x", "both", '"', "'y'", ""), anyText),
        fc.constantFrom("\n", "\r\n", ""),
      ),
      { maxLength: 12 },
    )
    .map((lines) => lines.map((parts) => parts.join("")).join(""));

  test("is total, names its own lines, and what it accepts is in range", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyText, near), async (text) => {
        const conf = await read(`# first\n[daemon]\n${text}`);
        if (conf instanceof Problem) {
          expect(conf.code).toBe("invalid");
          expect(conf.message).not.toMatch(/[\x00-\x1f\x7f]/);
          const line = Number(/^f:(\d+)$/.exec(conf.where ?? "")?.[1]);
          expect(line).toBeWithin(2, 3 + text.split("\n").length);
          return;
        }
        const { concurrency, stopTimeoutMs, lookBackMs, socket, socketOwner, socketGroup, stateFolder, log } =
          conf;
        if (concurrency !== undefined) expect(concurrency).toBeWithin(1, 100_001);
        expect(stopTimeoutMs).toBeWithin(1000, 1000 * 86_400_000 + 1);
        expect(lookBackMs).toBeWithin(0, 1000 * 86_400_000 + 1);
        for (const path of [socket, stateFolder])
          if (path !== undefined) expect(path).toMatch(/^\/[^\p{Cc}]*$/u);
        for (const name of [socketOwner, socketGroup])
          if (name !== undefined) expect(name).toMatch(/^[^\s:]+$/);
        expect(["syslog", "stderr", "both"]).toContain(log);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("the keys of [daemon]", () => {
  test("are known to the top level, to tell one that stands there", () => {
    expect(daemonKeys.split(" ").sort()).toEqual(Object.keys(daemonDefaults).sort());
  });

  test("stand in etc/rcron.conf.example, each with its default, and switched off", async () => {
    const example = readFileSync(join(project, "etc/rcron.conf.example"), "utf8");
    const section = /^#\[daemon\]\n(?:#.*\n)*/m.exec(example)?.[0] ?? "";
    const enabled = section.replace(/^#(?=[[a-z])/gm, "");
    const keys = [...enabled.matchAll(/^([a-z_]+) = (.*)$/gm)].map(([, key, value]) => [key, value]);
    expect(Object.fromEntries(keys)).toEqual(daemonDefaults);
    expect(await read(enabled)).toEqual(await read(""));
  });
});

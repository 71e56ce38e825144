/** `[node NAME]` of rcron.conf: what rcrond makes of it, what it refuses, and that nobody else minds. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { nodeKeys, parseConf, readDaemonConf, readNodes } from "../../src/gate/gate.ts";
import { nodeDefaults } from "../../src/gate/node-sections.ts";
import { parseJobSections } from "../../src/model/job-sections.ts";
import type { Node } from "../../src/model/node.ts";
import { Problem } from "../../src/model/problem.ts";
import { ruleKeys } from "../../src/model/rule-table.ts";
import { project } from "../support/program.ts";

async function read(text: string): Promise<readonly Node[] | Problem> {
  const parsed = parseConf(text, "f");
  return parsed instanceof Problem ? parsed : readNodes({ conf: parsed.conf, path: "f" });
}

async function proven(text: string): Promise<readonly Node[]> {
  const nodes = await read(text);
  if (nodes instanceof Problem) throw nodes;
  return nodes;
}

async function refused(text: string): Promise<Problem> {
  const nodes = await read(text);
  if (!(nodes instanceof Problem)) throw new Error(`accepted: ${JSON.stringify(nodes)}`);
  return nodes;
}

const ssh = {
  kind: "ssh",
  host: "web1",
  port: undefined,
  user: undefined,
  keyFile: undefined,
  passwordFile: undefined,
  isNewHostKeyAccepted: false,
};

describe("readNodes()", () => {
  test.each(["", "cluster_name = a\n", "[daemon]\n", "[job]\ntimeout = 5m\n"])("%j: none", async (text) => {
    expect(await read(text)).toEqual([]);
  });

  test("a node of which nothing is said is reached by its name, as ssh's own configuration says", async () => {
    expect(await read("[node web1]\n")).toEqual([
      {
        name: "web1",
        source: { path: "f", line: 1 },
        roles: [],
        connection: ssh,
        runsAtOnce: undefined,
      } as Node,
    ]);
  });

  test("the one in etc/rcron.conf.example is switched off, and can be switched on", async () => {
    const example = readFileSync(join(project, "etc/rcron.conf.example"), "utf8");
    expect(await read(example)).toEqual([]);
    const section = /^#\[node web1\]\n(?:#.*\n)*/m.exec(example)?.[0] ?? "";
    expect(await read(section.replace(/^#/gm, ""))).toEqual([
      {
        name: "web1",
        source: { path: "f", line: 1 },
        roles: ["web", "db"],
        connection: { ...ssh, host: "web1.example.com", user: "rcron" },
        runsAtOnce: undefined,
      } as Node,
    ]);
  });

  test("every default, written down, is the default", async () => {
    const lines = Object.entries(nodeDefaults).map(
      ([key, value]) => `${key} = ${value === "NAME" ? "web1" : value}\n`,
    );
    expect(await read(`[node web1]\n${lines.join("")}`)).toEqual(await read("[node web1]\n"));
  });

  test.each([
    ["roles = web", { roles: ["web"] }],
    ["roles = web, db  db,", { roles: ["web", "db"] }],
    ["runs_at_once = 1", { runsAtOnce: 1 }],
    ["runs_at_once = 10000", { runsAtOnce: 10_000 }],
    ["host = 10.0.0.7", { connection: { ...ssh, host: "10.0.0.7" } }],
    ["host = 2001:db8::1", { connection: { ...ssh, host: "2001:db8::1" } }],
    ["port = 2222", { connection: { ...ssh, port: 2222 } }],
    ["user = mona", { connection: { ...ssh, user: "mona" } }],
    ["key = /etc/rcron/id", { connection: { ...ssh, keyFile: "/etc/rcron/id" } }],
    ["password_file /etc/rcron/pw", { connection: { ...ssh, passwordFile: "/etc/rcron/pw" } }],
    ["Accept_New: YES", { connection: { ...ssh, isNewHostKeyAccepted: true } }],
    ["connection = SSH", { connection: ssh }],
    ["connection = local", { connection: { kind: "local" } }],
    [
      "connection = command docker exec -i 'my web' sh",
      { connection: { kind: "command", words: ["docker", "exec", "-i", "my web", "sh"] } },
    ],
  ])("%s", async (line, expected) => {
    expect((await proven(`[node web1]\n${line}\n`))[0]).toMatchObject(expected);
  });

  test.each([
    ["[node]", 'f:1: a node\'s section must begin with [node NAME]: got "[node]"', undefined],
    ["[node web1", 'f:1: a node\'s section must begin with [node NAME]: got "[node web1"', undefined],
    ["[node -x]", /^f:1: NAME in \[node NAME\] must be 1 to 100 letters.*: got "-x"$/, undefined],
    ["[node a b]", /: got "a b"$/, undefined],
    [
      "[node a]\n[daemon]\n[node a]",
      "f:3: [node a] must stand once: it begins on line 1 already",
      "put the lines of the two together",
    ],
    [
      "[node a]\nport = 1\nport = 2",
      "f:3: port must be set once in a section: it is set on line 2 already",
      "keep one of the two lines",
    ],
    ["[node a]\nusr = x", 'f:2: a key of [node NAME] must be a node\'s: got "usr"', "did you mean user?"],
    [
      "[node a]\ntimeout = 5m",
      /got "timeout"$/,
      "it is a rule for jobs, and stands below [job] or [job NAME]",
    ],
    ["[node a]\nconcurrency = 5", /got "concurrency"$/, "it is rcrond's, and stands below [daemon]"],
    ["[node a]\nstate_file = /x", /got "state_file"$/, "it stands at the top level, above all sections"],
    ["[node a]\nconstructor = x", /got "constructor"$/, /^the keys are roles, /],
    ["[node a]\nroles = web,-x", /^f:2: a role must be 1 to 100 letters.*: got "-x"$/, undefined],
    [
      "[node a]\nhost = -oProxyCommand=x",
      /^f:2: host must be a host's name or address.*: got "-oProxyCommand=x"$/,
      undefined,
    ],
    ["[node a]\nhost = mona@b", /^f:2: host must be/, "the user stands on a line of its own: user = NAME"],
    [
      "[node a]\nhost = b:22",
      /^f:2: host must be a host without a port/,
      "the port stands on a line of its own: port = N",
    ],
    ["[node a]\nport = 0", 'f:2: port must be a port from 1 to 65535, or auto: got "0"', undefined],
    ["[node a]\nuser = -l", /^f:2: user must be a user's name/, undefined],
    ["[node a]\nkey = id_rsa", /^f:2: key must be a private key's absolute path/, undefined],
    [
      "[node a]\npassword_file = pw",
      /^f:2: password_file must be a file's absolute path, or none$/,
      undefined,
    ],
    ["[node a]\naccept_new = maybe", 'f:2: accept_new must be yes or no: got "maybe"', undefined],
    ["[node a]\nruns_at_once = 0", /^f:2: runs_at_once must be a whole number from 1 to 10000/, undefined],
    ["[node a]\nruns_at_once = 10001", /^f:2: runs_at_once must be/, undefined],
    ["[node a]\nconnection = lokal", /^f:2: connection must be ssh, local/, "did you mean local?"],
    [
      "[node a]\nconnection = command",
      /^f:2: connection must be command with a program behind it/,
      undefined,
    ],
    [
      "[node a]\nconnection = command sh 'x",
      /^f:2: connection must be command with words whose quotes match/,
      undefined,
    ],
    ["[node a]\nconnection = ssh b", /^f:2: connection must be ssh alone/, undefined],
    [
      "[node a]\nconnection = local\nhost = b",
      "f:3: host must not stand beside connection = local: it is for ssh",
      undefined,
    ],
  ])("%j is refused", async (text, message, hint) => {
    const problem = await refused(text);
    if (typeof message === "string") expect(problem.message).toBe(message);
    else expect(problem.message).toMatch(message);
    if (hint instanceof RegExp) expect(problem.hint ?? "").toMatch(hint);
    else expect(problem.hint).toBe(hint as string);
  });

  test("they stand among the other sections, in any order", async () => {
    const text = "[daemon]\nconcurrency = 5\n[node a]\nroles = web\n[job x]\ntimeout = 5m\n# c\n[node b]\n";
    expect((await proven(text)).map(({ name, source }) => [name, source.line])).toEqual([
      ["a", 3],
      ["b", 8],
    ]);
    const parsed = parseConf(text, "f");
    if (parsed instanceof Problem) throw parsed;
    expect(await readDaemonConf({ conf: parsed.conf, path: "f" })).toMatchObject({ concurrency: 5 });
    const jobs = parseJobSections(parsed.conf.sections, "f");
    if (jobs instanceof Problem) throw jobs;
    expect([...jobs.jobs.keys()]).toEqual(["x"]);
  });

  test("a slip in a node's section stops no job of a crontab", () => {
    for (const text of ["[node a]\nusr = x\n", "[node -]\n", "[job]\ntimeout = 5m\n[node a]\nport = x\n"]) {
      const parsed = parseConf(text, "f");
      if (parsed instanceof Problem) throw parsed;
      expect([parsed.warnings, parseJobSections(parsed.conf.sections, "f")]).not.toContainEqual(
        expect.any(Problem),
      );
    }
  });

  test("where they stand alone, there are no rules to read for a run", () => {
    const parsed = parseConf("[node a]\nroles = web\n[daemon]\n[node b]\n", "f");
    expect(parsed).toMatchObject({ conf: { sections: undefined } });
  });

  test("a key of a node at the top level is told where it belongs", () => {
    const parsed = parseConf("accept_new = yes\n", "f");
    if (parsed instanceof Problem) throw parsed;
    expect(parsed.warnings).toEqual([
      'f:1: "accept_new" is for a node, and must stand below a line [node NAME]: ignored',
    ]);
  });

  test("nodeKeys has all keys that are no rules for jobs as well", () => {
    const own = Object.keys(nodeDefaults).filter((key) => !ruleKeys.some((rule) => rule === key));
    expect(nodeKeys.split(" ").sort()).toEqual(own.sort());
  });

  test("whatever it reads, it gives nodes or a Problem with a line", async () => {
    const word = fc.constantFrom(
      ...Object.keys(nodeDefaults),
      "[node a]",
      "[node b]",
      "[job]",
      "[daemon]",
      "=",
      "ssh",
      "local",
      "command",
      "x",
      "'",
      '"',
      "-",
      "\n",
      "\n",
      " ",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(word, fc.string({ maxLength: 8 })), { maxLength: 60 }),
        async (words) => {
          const nodes = await read(`[node a]\n${words.join("")}`);
          if (nodes instanceof Problem) expect(nodes.message).toMatch(/^f:\d+: /);
          else for (const { name } of nodes) expect(name).toMatch(/^[A-Za-z0-9_]/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

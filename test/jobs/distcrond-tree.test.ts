/** distcrond's folders beside the tree: their names, their nodes, and what is known of all jobs together only. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { checkJobs, type JobChange, JobTree, type TreeOptions, watchJobs } from "../../src/jobs/jobs.ts";
import type { Node } from "../../src/model/node.ts";
import { zoneNamed } from "../schedule/expressions.ts";
import { type JobFolder, job, jobFolder, told } from "./job-folder.ts";
import { terms } from "./terms.ts";

const json = (said: Record<string, unknown> = {}) =>
  JSON.stringify({
    owners: [{ name: "Mona", email_address: "mona@example.com" }],
    policy: { select: "any", roles: ["web"] },
    schedule: "0 45 20 * * *",
    shell_command: "x",
    ...said,
  });
const node = (...roles: string[]) => JSON.stringify({ roles, connection_type: "local" });
const confNode: Node = {
  name: "web9",
  source: { path: "rcron.conf", line: 7 },
  roles: ["web"],
  connection: { kind: "local" },
  runsAtOnce: undefined,
};

function optionsOf(folder: JobFolder, more: Partial<TreeOptions> = {}): TreeOptions {
  const { options, path } = folder;
  return {
    ...options,
    places: { ...options.places, distcrondJobs: `${path}/jobs.d/`, distcrondNodes: `${path}/nodes.d` },
    ...more,
  };
}

async function loaded(folder: JobFolder, more: Partial<TreeOptions> = {}): Promise<JobTree> {
  const tree = new JobTree(optionsOf(folder, more));
  await tree.look();
  return tree;
}

/** What a look has found of nodes, as `told()` has the jobs; undefined: they are as and where they were. */
function nodeNames(change: JobChange | undefined): string | undefined {
  if (change?.nodes === undefined) return undefined;
  const { added, changed, removed } = change.nodes;
  const part = (sign: string, nodes: readonly Node[]) => nodes.map(({ name }) => `${sign}${name}`);
  return [...part("+", added), ...part("~", changed), ...part("-", removed)].join(" ");
}

/** Both folders with a file each, so that neither is missed. */
function fleetFolder(): JobFolder {
  const folder = jobFolder();
  folder.write("jobs.d/backup.json", json());
  folder.write("nodes.d/web1.json", node("web"));
  return folder;
}

describe("JobTree with distcrond's folders", () => {
  test("jobs and nodes are called as their files, at any depth; what editors leave is passed over", async () => {
    using folder = fleetFolder();
    folder.write("jobs.d/deep/er/report.json", json());
    folder.write("jobs.d/plain", json());
    folder.write("jobs.d/backup.json~", "no json");
    folder.write("jobs.d/.hidden.json", "no json");
    folder.write("nodes.d/more/db1.json", node("db"));
    const { set } = await loaded(folder);
    expect([...set.jobs.keys()]).toEqual(["backup", "report", "plain"]);
    expect([...set.nodes.keys()]).toEqual(["db1", "web1"]);
    expect([set.broken, set.warnings]).toEqual([[], []]);
  });

  test("a name that the tree has as well: both run, and the prefix tells them apart", async () => {
    using folder = fleetFolder();
    folder.write("tree/backup");
    const { set } = await loaded(folder);
    expect([...set.jobs].map(([name, { rules }]) => [name, rules.name])).toEqual([
      ["backup", "backup"],
      ["distcrond/backup", "distcrond/backup"],
    ]);
    expect(set.broken).toEqual([]);
    expect(set.warnings.map(({ message }) => message)).toEqual([
      `${folder.path}/jobs.d/backup.json:1: a job that is named as one of another source is called distcrond/backup: backup stands at ${folder.path}/tree/backup:2 as well`,
    ]);
  });

  test("the prefix goes when the other job does", async () => {
    using folder = fleetFolder();
    folder.write("tree/backup");
    const tree = await loaded(folder);
    folder.remove("tree/backup");
    expect(told(await tree.look())).toBe("-distcrond/backup ~backup");
  });

  test("a name that is the prefixed one already is a problem", async () => {
    using folder = fleetFolder();
    folder.write("tree/backup");
    folder.write("tree/distcrond/backup");
    const { set } = await loaded(folder);
    expect([...set.jobs.keys()]).toEqual(["backup", "distcrond/backup"]);
    expect(set.broken[0]?.problems[0]?.message).toContain("a job's name must be its own: distcrond/backup");
  });

  test("one name twice in one source is a problem that names both places; the first counts", async () => {
    using folder = fleetFolder();
    folder.write("jobs.d/a/backup.json", json());
    folder.write("nodes.d/a/web1.json", node("db"));
    const { set } = await loaded(folder);
    const at = (path: string) => `${folder.path}/${path}`;
    expect(set.broken.flatMap(({ problems }) => problems.map(({ message }) => message))).toEqual([
      `${at("jobs.d/backup.json")}:1: a job's name must be its own: backup stands at ${at("jobs.d/a/backup.json")}:1 as well, and that one runs`,
      `${at("nodes.d/web1.json")}:1: a node's name must be its own: web1 stands at ${at("nodes.d/a/web1.json")}:1 as well, and that one counts`,
    ]);
    expect([set.jobs.size, set.nodes.get("web1")?.roles]).toEqual([1, ["db"]]);
  });

  test("nodes of rcron.conf come first, and one name in both is a problem", async () => {
    using folder = fleetFolder();
    folder.write("nodes.d/web9.json", node("db"));
    const { set } = await loaded(folder, { terms: { ...terms, nodes: [confNode] } });
    expect([...set.nodes.keys()]).toEqual(["web9", "web1"]);
    expect(set.nodes.get("web9")).toBe(confNode);
    expect(set.broken[0]?.problems[0]?.message).toContain("web9 stands at rcron.conf:7 as well");
  });

  test("new terms bring new nodes", async () => {
    using folder = fleetFolder();
    const tree = await loaded(folder);
    const change = await tree.lookAnew({ ...terms, nodes: [confNode] });
    expect([nodeNames(change), [...tree.set.nodes.keys()]]).toEqual(["+web9", ["web9", "web1"]]);
    expect(await tree.lookAnew({ ...terms, nodes: [{ ...confNode }] })).toBeUndefined();
    const moved = { ...confNode, source: { path: "rcron.conf", line: 9 } };
    expect(nodeNames(await tree.lookAnew({ ...terms, nodes: [moved] }))).toBe("");
    expect(nodeNames(await tree.lookAnew({ ...terms, nodes: [{ ...moved, roles: ["other"] }] }))).toBe(
      "~web9",
    );
    expect(nodeNames(await tree.lookAnew({ ...terms, nodes: [] }))).toBe("-web9");
  });

  test("a file that turns bad keeps its job and its node", async () => {
    using folder = fleetFolder();
    const tree = await loaded(folder);
    folder.replace("jobs.d/backup.json", "{");
    folder.replace("nodes.d/web1.json", '{"connection_type": "shh"}');
    const change = await tree.look();
    expect(told(change)).toBe("!backup.json !web1.json");
    expect(nodeNames(change)).toBeUndefined();
    expect(change?.broken.map(({ kept }) => kept.map(({ name }) => name))).toEqual([["backup"], []]);
    expect([[...tree.set.jobs.keys()], [...tree.set.nodes.keys()]]).toEqual([["backup"], ["web1"]]);
    folder.remove("nodes.d/web1.json");
    expect(nodeNames(await tree.look())).toBe("-web1");
    expect(tree.set.nodes.size).toBe(0);
  });

  test("a node's file must have a node's name", async () => {
    using folder = fleetFolder();
    folder.write("nodes.d/-oProxyCommand=x.json", node());
    const { set } = await loaded(folder);
    expect(set.broken[0]?.problems[0]?.message).toContain(
      "a node's name, which is its file's, must be 1 to 100",
    );
  });

  test("a file of more than 64 kB is no definition", async () => {
    using folder = fleetFolder();
    folder.write("jobs.d/big.json", json({ description: "x".repeat(70_000) }));
    const { set } = await loaded(folder);
    expect(set.broken[0]?.problems[0]?.message).toContain("at most 64 kB");
  });

  test("a folder that is not there is missed", async () => {
    using folder = jobFolder();
    const { set } = await loaded(folder);
    expect(set.broken.map(({ path }) => path.replace(folder.path, ""))).toEqual(["/jobs.d", "/nodes.d"]);
  });

  test("owners may be left out where that is allowed", async () => {
    using folder = fleetFolder();
    folder.write("jobs.d/backup.json", json({ owners: [] }));
    expect((await loaded(folder)).set.jobs.size).toBe(0);
    const allowed = await loaded(folder, { terms: { ...terms, isOwnerOptional: true } });
    expect(allowed.set.jobs.get("backup")?.owners).toEqual([]);
  });
});

describe("jobs that are spread over a period", () => {
  const spread = json({ schedule: { spread: "1h" } });
  const places = ({ set }: JobTree) =>
    new Map(
      [...set.jobs].map(([name, { schedule }]) => [name, schedule.kind === "every" ? schedule.offsetMs : -1]),
    );

  test("have even places, the same for a tree that is loaded anew", async () => {
    using folder = fleetFolder();
    folder.remove("jobs.d/backup.json");
    for (let n = 0; n < 40; n++) folder.write(`jobs.d/spread-${n}.json`, spread);
    const tree = await loaded(folder);
    const first = places(tree);
    expect(places(await loaded(folder))).toEqual(first);
    const sorted = [...first.values()].sort((a, b) => a - b);
    for (const [index, at] of sorted.entries()) {
      const next = sorted[index + 1] ?? (sorted[0] ?? 0) + 3_600_000;
      expect(next - at).toBeLessThanOrEqual((3 * 3_600_000) / 40 + 1000);
    }
    expect(await tree.look()).toBeUndefined();
    folder.write("jobs.d/one-more.json", spread);
    const change = await tree.look();
    expect(change?.added.map(({ name }) => name)).toEqual(["one-more"]);
    expect(change?.changed.length).toBeLessThan(10);
    const moved = [...places(tree)].filter(([name, at]) => first.has(name) && first.get(name) !== at);
    expect(change?.changed.map(({ name }) => name).sort()).toEqual(moved.map(([name]) => name).sort());
  });

  test("a broken file's job keeps its place among them", async () => {
    using folder = fleetFolder();
    folder.write("jobs.d/backup.json", spread);
    folder.write("jobs.d/other.json", spread);
    const tree = await loaded(folder);
    const before = places(tree);
    folder.replace("jobs.d/backup.json", "{");
    const change = await tree.look();
    expect(places(tree)).toEqual(before);
    expect(change?.broken[0]?.kept[0]).toBe(tree.set.jobs.get("backup"));
  });
});

describe("watchJobs() and checkJobs() with distcrond's folders", () => {
  test("changes of jobs and nodes are told", async () => {
    using folder = fleetFolder();
    const seen: string[] = [];
    const watch = await watchJobs({
      ...optionsOf(folder),
      onChange: (change) => seen.push(`${told(change)}${change.nodes ? " nodes" : ""}`),
      onProblem: (problem) => seen.push(problem.message),
    });
    try {
      const until = async (what: string) => {
        for (let turn = 0; !seen.includes(what); turn++) {
          if (turn > 2000) throw new Error(`not seen: ${what}, but ${seen.join("; ")}`);
          await Bun.sleep(5);
        }
      };
      folder.write("jobs.d/new/report.json", json());
      await until("+report");
      folder.replace("nodes.d/web1.json", node("web", "db"));
      await until(" nodes");
      expect(watch.set.nodes.get("web1")?.roles).toEqual(["web", "db"]);
    } finally {
      watch.close();
    }
  });

  test("names that match nothing are warned of", async () => {
    using folder = fleetFolder();
    folder.write("tree/a", `${job()}on any of web,wbe1,web1\n`);
    folder.write("jobs.d/hosts.json", json({ policy: { select: "all", hosts: ["web", "web1"] } }));
    folder.write("jobs.d/roles.json", json({ policy: { select: "all", roles: ["web1", "web"] } }));
    const check = { ...optionsOf(folder), zone: zoneNamed("Europe/Berlin"), nowMs: 0 };
    const { findings } = await checkJobs(check);
    expect(
      findings.map(
        ({ severity, problem }) =>
          `${severity} ${problem.message.replace(`${folder.path}/`, "")}; ${problem.hint}`,
      ),
    ).toEqual([
      'warning jobs.d/hosts.json:1: there is no node named "web"; did you mean web1?',
      'warning jobs.d/roles.json:1: there is no role named "web1"; did you mean web?',
      'warning tree/a:2: there is no node or role named "wbe1"; did you mean web1?',
    ]);
  });

  const choices: readonly [what: string, roles: readonly string[], select: object, hint: string][] = [
    ["several roles", ["role2", "role1"], { roles: ["web"] }, "there are role1, role2"],
    ["one role", ["database"], { roles: ["web"] }, "the only role is database"],
    ["no role", [], { roles: ["web"] }, "no node has a role"],
    ["one node", [], { hosts: ["elsewhere"] }, "the only node is web1"],
    [
      "more than ten roles",
      Array.from({ length: 12 }, (_, index) => `role${index + 10}`),
      { roles: ["web"] },
      `there are ${Array.from({ length: 10 }, (_, index) => `role${index + 10}`).join(", ")} and 2 more`,
    ],
  ];
  for (const [what, roles, select, hint] of choices) {
    test(`a name that is near to none, with ${what}: the hint says which there are`, async () => {
      using folder = fleetFolder();
      folder.remove("jobs.d/backup.json");
      folder.replace("nodes.d/web1.json", node(...roles));
      folder.write("jobs.d/far.json", json({ policy: { select: "all", ...select } }));
      const check = { ...optionsOf(folder), zone: zoneNamed("Europe/Berlin"), nowMs: 0 };
      const { findings } = await checkJobs(check);
      expect(findings.map(({ problem }) => problem.hint)).toEqual([hint]);
    });
  }

  test("without any node, each job on nodes is warned of", async () => {
    using folder = fleetFolder();
    folder.remove("nodes.d/web1.json");
    folder.write("tree/a", job());
    const check = { ...optionsOf(folder), zone: zoneNamed("Europe/Berlin"), nowMs: 0 };
    const { findings } = await checkJobs(check);
    expect(findings.map(({ problem }) => problem.message.replace(`${folder.path}/`, ""))).toEqual([
      "jobs.d/backup.json:1: a job on nodes can't run: there is no node",
    ]);
    expect(findings[0]?.problem.hint).toBe(
      "write a section [node NAME] in rcron.conf, or a file below --nodesDirectory",
    );
  });

  test("names are not looked at while a node's file can't be read: what it would define is not known", async () => {
    using folder = fleetFolder();
    folder.replace("nodes.d/web1.json", "{");
    const check = { ...optionsOf(folder), zone: zoneNamed("Europe/Berlin"), nowMs: 0 };
    const { findings } = await checkJobs(check);
    expect(findings.map(({ severity, problem }) => `${severity} ${problem.where}`)).toEqual([
      `problem ${folder.path}/nodes.d/web1.json:1`,
    ]);
  });

  test("a file of the other kind costs one sentence", async () => {
    using folder = fleetFolder();
    folder.write("jobs.d/db1.json", node("web"));
    folder.write("nodes.d/report.json", json());
    const check = { ...optionsOf(folder), zone: zoneNamed("Europe/Berlin"), nowMs: 0 };
    const { findings } = await checkJobs(check);
    expect(
      findings.map(({ problem }) => `${problem.message.replace(`${folder.path}/`, "")}; ${problem.hint}`),
    ).toEqual([
      "jobs.d/db1.json:1: a job file must be a job's: this is a node's; node files stand below --nodesDirectory, and not below --jobsDirectory",
      "nodes.d/report.json:1: a node file must be a node's: this is a job's; job files stand below --jobsDirectory, and not below --nodesDirectory",
    ]);
  });

  test("docs/fleet.md has the keys that the files may have", () => {
    const page = readFileSync(new URL("../../docs/fleet.md", import.meta.url), "utf8");
    for (const key of [
      ...["description", "owners", "notifications", "webhook", "slack", "mail", "policy", "schedule"],
      ...["command", "shell_command", "environment"],
      ...["roles", "connection_type", "connection_options", "runs_at_once", "ssh_host", "ssh_user"],
      ...["ssh_private_key_file", "ssh_password_file", "ssh_accept_new", "interval", "reference", "spread"],
    ])
      expect(page).toContain(`\`${key}\``);
  });
});

import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, lchownSync, mkdirSync, writeFileSync } from "node:fs";
import { JobTree, machineUsers } from "../../src/jobs/jobs.ts";
import { job, jobFolder, loaded, namesOf, told } from "./job-folder.ts";

const isRoot = process.getuid?.() === 0;

describe("JobTree: which files", () => {
  test("every file at any depth is a job, named by its path without the suffix", async () => {
    using folder = jobFolder();
    for (const name of ["a", "b.cron", "c.job", "d.acron", "deep/er/and/deeper/e", "f.v2"])
      folder.write(`tree/${name}`);
    folder.write("tree/g.crontab", folder.options.uid === 0 ? "@daily root x\n" : "@daily x\n");
    expect(namesOf((await loaded(folder)).set)).toEqual([
      "a",
      "b",
      "c",
      "d",
      "deep/er/and/deeper/e",
      "f.v2",
      "g:x",
    ]);
  });

  test.each([
    ...[
      ".hidden",
      "a~",
      "#a#",
      "a.dpkg-old",
      "a.dpkg-new",
      "a.ucf-dist",
      "a.rpmsave",
      ".a.swp",
      "a.swp",
      "a.bak",
      "a.orig",
    ],
    ...[".git/config", "x.disabled/job", "a.tmp", "a.rej"],
  ])("%s is passed over", async (name) => {
    using folder = jobFolder();
    folder.write(`tree/${name}`, "not a job");
    const { set } = await loaded(folder);
    expect([set.jobs.size, set.broken.length]).toEqual([0, 0]);
  });

  test("a folder of crontabs is read as /etc/cron.d: no name with a dot, no folder below", async () => {
    const line = isRoot ? "@daily root x\n" : "@daily x\n";
    using folder = jobFolder();
    for (const name of ["one", "two.txt", "below/three", ".four"]) folder.write(`cron.d/${name}`, line);
    folder.write("single.file", line);
    const crontabs = [`${folder.path}/cron.d`, `${folder.path}/single.file`];
    const tree = new JobTree({ ...folder.options, places: { tree: undefined, crontabs } });
    await tree.look();
    expect(namesOf(tree.set)).toEqual(["one:x", "single.file:x"]);
  });

  test("links are followed, to files and folders, and not round in a circle", async () => {
    using folder = jobFolder();
    folder.write("elsewhere/a");
    folder.write("elsewhere/below/b");
    folder.link("tree/file", `${folder.path}/elsewhere/a`);
    folder.link("tree/folder", "../elsewhere");
    folder.link("elsewhere/circle", "../elsewhere");
    const { set } = await loaded(folder);
    expect(namesOf(set)).toEqual(["file", "folder/a", "folder/below/b"]);
    expect(set.broken.map(({ problems }) => problems[0]?.message)).toEqual([
      `${folder.path}/tree/folder/circle: a link must not lead to a folder above it`,
    ]);
  });

  test.each([
    ["a link to nowhere", "must be a file to read: no such file or directory"],
    ["a FIFO", "must be a regular file"],
    ["65 kB", "a file of jobs must have at most 64 kB"],
    [
      "a name with brackets[1]",
      "a file's path below the tree must be a job's name: at most 100 printable characters without brackets",
    ],
    ["writable by others", "must not be writable by others: its mode is 0646"],
  ])("%s is a problem, and stops nothing else", async (what, rule) => {
    using folder = jobFolder();
    folder.write("tree/good");
    const path = `${folder.path}/tree/${what}`;
    if (what.startsWith("a link")) folder.link(`tree/${what}`, "/nonexistent/x");
    else if (what === "a FIFO") Bun.spawnSync(["mkfifo", path]);
    else folder.write(`tree/${what}`, what === "65 kB" ? `${job()}#${"x".repeat(65 * 1024)}` : job());
    if (what.startsWith("writable")) chmodSync(path, 0o646);
    const { set } = await loaded(folder);
    expect(namesOf(set)).toEqual(["good"]);
    expect(set.broken.map(({ problems }) => problems.map(({ message }) => message))).toEqual([
      [`${path}: ${rule}`],
    ]);
  });

  test("deeper than 20 folders nothing is read, and that is said", async () => {
    using folder = jobFolder();
    folder.write(`tree/${"d/".repeat(20)}in`);
    folder.write(`tree/${"d/".repeat(21)}out`);
    const { set } = await loaded(folder);
    expect(set.jobs.size).toBe(1);
    expect(set.broken[0]?.problems[0]?.message).toEndWith(": a tree must be at most 20 folders deep");
  });

  test("a file of crontab size with 10,000 lines of comments and one job", async () => {
    using folder = jobFolder();
    folder.write("tree/a", `${"#\n".repeat(10_000)}${job()}`);
    expect((await loaded(folder)).set.jobs.get("a")?.source.line).toBe(10_002);
  });
});

describe.skipIf(!isRoot)("JobTree: root's tree, as Debian's cron", () => {
  test.each([
    ["group-writable", 0o664, 0, "must not be writable by others: its mode is 0664"],
    ["someone's", 0o644, 12345, "must belong to root: it belongs to uid 12345"],
  ])("a file that is %s is refused; its last good version goes on", async (_, mode, owner, rule) => {
    using folder = jobFolder();
    folder.write("tree/a");
    const tree = await loaded(folder);
    chownSync(`${folder.path}/tree/a`, owner, 0);
    chmodSync(`${folder.path}/tree/a`, mode);
    const change = await tree.look();
    expect(change?.broken[0]?.problems[0]?.message).toBe(`${folder.path}/tree/a: ${rule}`);
    expect(change?.broken[0]?.problems[0]?.code).toBe("denied");
    expect(change?.broken[0]?.kept.map(({ name }) => name)).toEqual(["a"]);
    chmodSync(`${folder.path}/tree/a`, 0o644);
    chownSync(`${folder.path}/tree/a`, 0, 0);
    expect(told(await tree.look())).toBe("");
    expect(tree.set.broken).toEqual([]);
  });

  test("someone's link is refused", async () => {
    using folder = jobFolder();
    folder.write("elsewhere/a");
    folder.link("tree/a", "../elsewhere/a");
    lchownSync(`${folder.path}/tree/a`, 12345, 0);
    expect((await loaded(folder)).set.broken[0]?.problems[0]?.message).toContain(
      "a link must belong to root",
    );
  });

  test("in cron's folder for users' crontabs the name is the user, who may own the file; no line names one", async () => {
    using folder = jobFolder();
    folder.write("crontabs/mona", "@daily x --y\n");
    chownSync(`${folder.path}/crontabs/mona`, 1000, 0);
    chmodSync(`${folder.path}/crontabs/mona`, 0o600);
    const tree = new JobTree({
      ...folder.options,
      places: { tree: undefined, crontabs: [`${folder.path}/crontabs`] },
    });
    await tree.look();
    const found = tree.set.jobs.get("mona:x");
    expect([found?.rules.user, found?.rules.workingFolder, tree.set.broken.length]).toEqual([
      "mona",
      "/home/mona",
      0,
    ]);
  });

  test.each(["yes", "no"] as const)("userColumn %s beats the file's owner", async (userColumn) => {
    using folder = jobFolder({ userColumn });
    folder.write("tree/a.crontab", "@daily root x\n");
    expect(namesOf((await loaded(folder)).set)).toEqual([userColumn === "yes" ? "a:x" : "a:root"]);
  });
});

describe.skipIf(!isRoot)("JobTree: another user's tree", () => {
  test.each([
    [1000, 0o664, undefined],
    [0, 0o664, undefined],
    [1000, 0o646, "must not be writable by others: its mode is 0646"],
    [12345, 0o644, "must belong to you or root: it belongs to uid 12345"],
  ])("a file of uid %p with this mode, to uid 1000", async (owner, mode, rule) => {
    using folder = jobFolder({ uid: 1000 });
    folder.write("tree/a");
    chownSync(`${folder.path}/tree/a`, owner, 0);
    chmodSync(`${folder.path}/tree/a`, mode);
    const { set } = await loaded(folder);
    expect(set.broken[0]?.problems[0]?.message).toBe(rule && `${folder.path}/tree/a: ${rule}`);
    expect(set.jobs.size).toBe(rule === undefined ? 1 : 0);
  });
});

describe("JobTree.look(): what has changed", () => {
  test("nothing, when nothing has; a file that is only touched is nothing", async () => {
    using folder = jobFolder();
    folder.write("tree/a");
    const tree = await loaded(folder);
    expect(told(await tree.look())).toBe("nothing");
    folder.replace("tree/a", job());
    expect(told(await tree.look())).toBe("nothing");
  });

  test("added, changed, removed, and the rest are the same objects", async () => {
    using folder = jobFolder();
    for (const name of ["a", "b", "c"]) folder.write(`tree/${name}`);
    const tree = await loaded(folder);
    const before = tree.set.jobs.get("a");
    folder.write("tree/b", job("false"));
    folder.remove("tree/c");
    folder.write("tree/d");
    expect(told(await tree.look())).toBe("+d -c ~b");
    expect(tree.set.jobs.get("a")).toBe(before as NonNullable<typeof before>);
  });

  test("a bad file keeps its last good version, and is told once; put right, the new one holds", async () => {
    using folder = jobFolder();
    folder.write("tree/a", job("old"));
    folder.write("tree/b");
    const tree = await loaded(folder);
    folder.write("tree/a", "evry 1h\nrun new\n");
    const change = await tree.look();
    expect(told(change)).toBe("!a");
    expect(change?.broken[0]?.kept[0]?.command).toEqual({ kind: "shell", line: "old" });
    expect(namesOf(tree.set)).toEqual(["a", "b"]);
    expect(told(await tree.look())).toBe("nothing");
    folder.write("tree/a", job("newest"));
    expect(told(await tree.look())).toBe("~a");
    expect(tree.set.broken).toEqual([]);
  });

  test("a file that is bad from the start has no job, and none is left of a bad file that is deleted", async () => {
    using folder = jobFolder();
    folder.write("tree/a", "nonsense");
    folder.write("tree/b");
    const tree = await loaded(folder);
    expect(namesOf(tree.set)).toEqual(["b"]);
    folder.write("tree/b", "nonsense");
    await tree.look();
    folder.remove("tree/b");
    expect(told(await tree.look())).toBe("-b !a");
  });

  test("one bad line keeps a whole crontab at its last good version", async () => {
    using folder = jobFolder({ userColumn: "no" });
    folder.write("tree/a.crontab", "@daily x\n@hourly y\n");
    const tree = await loaded(folder);
    folder.write("tree/a.crontab", "@daily x\n@hurly y\n@monthly z\n");
    const change = await tree.look();
    expect(change?.broken[0]?.kept.map(({ name }) => name)).toEqual(["a:x", "a:y"]);
    expect(namesOf(tree.set)).toEqual(["a:x", "a:y"]);
  });

  test("a crontab's lines that only move are not changed, but know their new line", async () => {
    using folder = jobFolder({ userColumn: "no" });
    folder.write("tree/a.crontab", "@daily x\n@hourly y\n");
    const tree = await loaded(folder);
    folder.write("tree/a.crontab", "# why\n@monthly new\n@daily x\n@weekly y\n");
    expect(told(await tree.look())).toBe("+a:new ~a:y");
    expect(tree.set.jobs.get("a:x")?.source.line).toBe(3);
  });

  test("two files of one name: both places are told, and the first by path runs, in every order of events", async () => {
    using folder = jobFolder();
    folder.write("tree/a.job", job("second"));
    const tree = await loaded(folder);
    folder.write("tree/a.cron", job("first"));
    expect(told(await tree.look())).toBe("~a !a.job");
    expect(tree.set.broken[0]?.problems[0]?.message).toBe(
      `${folder.path}/tree/a.job:2: a job's name must be its own: a stands at ${folder.path}/tree/a.cron:2 as well, and that one runs`,
    );
    folder.remove("tree/a.cron");
    expect(told(await tree.look())).toBe("~a");
    expect(tree.set.jobs.get("a")?.command).toEqual({ kind: "shell", line: "second" });
  });

  test("two writes of the same length within one tick of the file system's clock are both seen", async () => {
    using folder = jobFolder();
    folder.write("tree/a", job("0"));
    const tree = await loaded(folder);
    for (let round = 1; round < 10; round++) {
      folder.write("tree/a", job(String(round)));
      await tree.look();
      expect(tree.set.jobs.get("a")?.command).toEqual({ kind: "shell", line: String(round) });
    }
  });

  test("a tree that is not there is a problem; one that goes away keeps its jobs until it is back", async () => {
    using folder = jobFolder();
    folder.write("tree/a");
    const tree = await loaded(folder);
    folder.move("tree", "away");
    expect(told(await tree.look())).toBe("!tree");
    expect(namesOf(tree.set)).toEqual(["a"]);
    expect(tree.set.broken[0]?.kept.map(({ name }) => name)).toEqual(["a"]);
    mkdirSync(`${folder.path}/tree`);
    expect(told(await tree.look())).toBe("-a");
  });

  test("a folder in the tree that goes away takes its jobs with it", async () => {
    using folder = jobFolder();
    folder.write("tree/d/a");
    const tree = await loaded(folder);
    folder.remove("tree/d");
    expect(told(await tree.look())).toBe("-d/a");
  });

  test("a crontab that is named and not there is a problem", async () => {
    using folder = jobFolder();
    const tree = new JobTree({
      ...folder.options,
      places: { tree: undefined, crontabs: [`${folder.path}/none`] },
    });
    await tree.look();
    expect(tree.set.broken[0]?.problems[0]?.code).toBe("not-found");
  });

  test("lookAnew() reads what the files don't say: other terms, new users", async () => {
    using folder = jobFolder();
    folder.write("tree/a");
    folder.write("tree/b", "every 1h\noutput /x\nrun x\n");
    const tree = await loaded(folder);
    expect(told(await tree.lookAnew())).toBe("nothing");
    expect(told(await tree.lookAnew({ ...folder.options.terms, mailTo: "ops@example.org" }))).toBe("~a");
  });

  test("looks that are asked for at once are made one after another", async () => {
    using folder = jobFolder();
    folder.write("tree/a");
    const tree = new JobTree(folder.options);
    expect((await Promise.all([tree.look(), tree.look(), tree.look()])).map(told)).toEqual([
      "+a",
      "nothing",
      "nothing",
    ]);
  });
});

test("the sections of rcron.conf are below what a job's file says", async () => {
  using folder = jobFolder();
  folder.write("tree/a");
  folder.write("tree/b", "every 1h\ntimeout 1m\nrun x\n");
  const rule = (key: "timeout" | "output", text: string) => ({ key, text, where: "rcron.conf:1" });
  const sections = {
    defaults: [rule("timeout", "1h"), rule("output", "syslog")],
    jobs: new Map([["a", [rule("timeout", "2h")]]]),
  };
  const tree = new JobTree({ ...folder.options, terms: { ...folder.options.terms, sections } });
  await tree.look();
  expect([...tree.set.jobs.values()].map(({ rules }) => rules.timeoutMs)).toEqual([7_200_000, 60_000]);
  expect(tree.set.jobs.get("a")?.rules.outputs).toEqual([{ isIfError: false, sink: { kind: "syslog" } }]);
});

test("machineUsers() knows root, and nobody who isn't there", () => {
  const find = machineUsers();
  expect(find("root")).toEqual({ uid: 0, home: "/root" });
  expect(find("no-such-user")).toBeUndefined();
});

test("10,000 files are loaded within 1.5 s of processor time, and a look that finds nothing costs a tenth", async () => {
  using folder = jobFolder();
  for (let n = 0; n < 10_000; n++) {
    if (n % 100 === 0) mkdirSync(`${folder.path}/tree/team-${n / 100}`);
    const times = n % 2 === 0 ? `at ${n % 60} ${n % 24} * * *\ntimezone Europe/Berlin` : "every 10m\nsplay";
    const text = `# job ${n}\n${times}\ntimeout 1m  # kill\noutput if-error ops@example.org\noutput /var/log/${n}.log\nerror if-stderr if-nonzero\nrun /usr/bin/x --n ${n}\n   --more\n`;
    writeFileSync(`${folder.path}/tree/team-${Math.floor(n / 100)}/job-${n}`, text, { mode: 0o644 });
  }
  const tree = new JobTree(folder.options);
  const cpuMs = async (work: () => Promise<unknown>) => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  // Processor time: the wall clock belongs to everybody on this machine.
  expect(await cpuMs(() => tree.look())).toBeLessThan(1500);
  expect([tree.set.jobs.size, tree.set.broken.length]).toEqual([10_000, 0]);
  expect(await cpuMs(() => tree.look())).toBeLessThan(300);
}, 60_000);

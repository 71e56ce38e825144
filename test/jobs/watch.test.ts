/** Each way in which files of jobs change, on a real file system. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { type JobSet, watchJobs } from "../../src/jobs/jobs.ts";
import type { ScheduledJob } from "../../src/model/scheduled-job.ts";
import { job, jobFolder, loaded, namesOf, watched } from "./job-folder.ts";

const runs = (found: ScheduledJob | undefined, line: string) =>
  found?.command.kind === "shell" && found.command.line === line;

/** Before: `tree/a`, `tree/d/b`, `tree/link` → `other/l`, and `other/` beside the tree. */
const scenarios: readonly (readonly [
  title: string,
  act: (path: string) => void,
  added: readonly string[],
  changed: readonly string[],
  removed: readonly string[],
])[] = [
  ["created", (path) => writeFileSync(`${path}/tree/new`, job()), ["new"], [], []],
  ["written in place", (path) => writeFileSync(`${path}/tree/a`, job("new")), [], ["a"], []],
  [
    "atomically replaced",
    (path) => {
      writeFileSync(`${path}/tree/.a.tmp`, job("new"));
      renameSync(`${path}/tree/.a.tmp`, `${path}/tree/a`);
    },
    [],
    ["a"],
    [],
  ],
  [
    "atomically replaced from outside",
    (path) => {
      writeFileSync(`${path}/other/tmp`, job("new"));
      renameSync(`${path}/other/tmp`, `${path}/tree/d/b`);
    },
    [],
    ["d/b"],
    [],
  ],
  ["renamed", (path) => renameSync(`${path}/tree/a`, `${path}/tree/z`), ["z"], [], ["a"]],
  ["renamed across folders", (path) => renameSync(`${path}/tree/a`, `${path}/tree/d/a`), ["d/a"], [], ["a"]],
  ["moved in", (path) => renameSync(`${path}/other/m`, `${path}/tree/d/m`), ["d/m"], [], []],
  ["moved out", (path) => renameSync(`${path}/tree/d/b`, `${path}/other/b`), [], [], ["d/b"]],
  [
    "symlink switched",
    (path) => {
      symlinkSync("../other/l2", `${path}/tree/.new-link`);
      renameSync(`${path}/tree/.new-link`, `${path}/tree/link`);
    },
    [],
    ["link"],
    [],
  ],
  ["deleted", (path) => rmSync(`${path}/tree/a`), [], [], ["a"]],
  [
    "hidden by its editor's backup, then gone",
    (path) => renameSync(`${path}/tree/a`, `${path}/tree/a~`),
    [],
    [],
    ["a"],
  ],
  [
    "a new folder with a file in it at once",
    (path) => {
      mkdirSync(`${path}/tree/n/m`, { recursive: true });
      writeFileSync(`${path}/tree/n/m/x`, job());
    },
    ["n/m/x"],
    [],
    [],
  ],
  [
    "a folder moved in",
    (path) => renameSync(`${path}/other/folder`, `${path}/tree/folder`),
    ["folder/x", "folder/y"],
    [],
    [],
  ],
  ["a folder renamed", (path) => renameSync(`${path}/tree/d`, `${path}/tree/e`), ["e/b"], [], ["d/b"]],
  ["a folder deleted", (path) => rmSync(`${path}/tree/d`, { recursive: true }), [], [], ["d/b"]],
  [
    "a whole folder swapped",
    (path) => {
      renameSync(`${path}/tree/d`, `${path}/other/d.old`);
      renameSync(`${path}/other/folder`, `${path}/tree/d`);
    },
    ["d/x", "d/y"],
    [],
    ["d/b"],
  ],
  [
    "the whole tree swapped",
    (path) => {
      renameSync(`${path}/tree`, `${path}/tree.old`);
      renameSync(`${path}/other/folder`, `${path}/tree`);
    },
    ["x", "y"],
    [],
    ["a", "d/b", "link", "linked/f", "linked/deep/g"],
  ],
  [
    "in a folder that a link leads to",
    (path) => writeFileSync(`${path}/far/f`, job("new")),
    [],
    ["linked/f"],
    [],
  ],
  [
    "deep in a folder that a link leads to",
    (path) => writeFileSync(`${path}/far/deep/h`, job()),
    ["linked/deep/h"],
    [],
    [],
  ],
];

function scene() {
  const folder = jobFolder();
  for (const name of [
    "tree/a",
    "tree/d/b",
    "other/m",
    "other/folder/x",
    "other/folder/y",
    "far/f",
    "far/deep/g",
  ]) {
    folder.write(name);
  }
  folder.write("other/l", job("l"));
  folder.write("other/l2", job("l2"));
  folder.link("tree/link", "../other/l");
  folder.link("tree/linked", "../far");
  return folder;
}

describe("watchJobs()", () => {
  test.each(scenarios)("%s", async (_, act, added, changed, removed) => {
    using folder = scene();
    using watch = await watched(folder);
    const before = watch.set.jobs;
    expect(namesOf(watch.set)).toEqual(["a", "d/b", "link", "linked/deep/g", "linked/f"]);
    act(folder.path);
    await watch.until(
      ({ jobs }) =>
        added.every((name) => jobs.has(name)) &&
        removed.every((name) => !jobs.has(name)) &&
        changed.every((name) => jobs.has(name) && jobs.get(name) !== before.get(name)),
    );
    await Bun.sleep(50);
    const sorted = (pick: "added" | "changed" | "removed") =>
      watch.changes.flatMap((change) => change[pick].map(({ name }) => name)).sort();
    expect([sorted("added"), sorted("changed"), sorted("removed")]).toEqual([
      [...added].sort(),
      [...changed],
      [...removed].sort(),
    ]);
    expect(watch.set.broken).toEqual([]);
    expect(watch.problems).toEqual([]);
  });

  test("after each way of replacing a folder, what is written in the new one is seen", async () => {
    using folder = scene();
    using watch = await watched(folder);
    folder.move("tree", "tree.old");
    folder.move("other/folder", "tree");
    await watch.until(({ jobs }) => jobs.has("x"));
    await Bun.sleep(100);
    folder.write("tree/x", job("new"));
    await watch.until(({ jobs }) => runs(jobs.get("x"), "new"));
    folder.move("tree", "tree.older");
    await watch.until(({ broken }) => broken.length === 1);
    folder.write("tree/y", job("newer"));
    await watch.until(({ jobs }) => runs(jobs.get("y"), "newer"));
  });

  test("a file that is bad and put right", async () => {
    using folder = scene();
    using watch = await watched(folder);
    folder.write("tree/a", "nonsense");
    await watch.until(({ broken }) => broken.length === 1);
    expect(watch.set.jobs.has("a")).toBe(true);
    folder.write("tree/a", job("right"));
    await watch.until(({ jobs, broken }) => broken.length === 0 && runs(jobs.get("a"), "right"));
  });

  test("files as Kubernetes has them: links through a hidden link that is switched", async () => {
    using folder = jobFolder();
    folder.write("tree/..1/x", job("one"));
    folder.write("tree/..2/x", job("two"));
    folder.link("tree/..data", "..1");
    folder.link("tree/x", "..data/x");
    using watch = await watched(folder);
    expect(namesOf(watch.set)).toEqual(["x"]);
    folder.link("tree/..new", "..2");
    folder.move("tree/..new", "tree/..data");
    await watch.until(({ jobs }) => runs(jobs.get("x"), "two"));
  });

  test("a crontab that is named: written, replaced, deleted, back again", async () => {
    using folder = jobFolder({ userColumn: "no" });
    folder.write("etc/crontab", "@daily one\n");
    folder.write("etc/cron.d/x", "@daily x\n");
    const crontabs = [`${folder.path}/etc/crontab`, `${folder.path}/etc/cron.d`];
    const options = { ...folder, options: { ...folder.options, places: { tree: undefined, crontabs } } };
    using watch = await watched(options);
    expect(namesOf(watch.set)).toEqual(["crontab:one", "x:x"]);
    folder.write("etc/crontab", "@daily two\n");
    await watch.until(({ jobs }) => jobs.has("crontab:two"));
    for (const name of ["three", "four"]) {
      folder.replace("etc/crontab", `@daily ${name}\n`);
      await watch.until(({ jobs }) => jobs.has(`crontab:${name}`));
    }
    folder.remove("etc/crontab");
    await watch.until(({ broken }) => broken.length === 1);
    expect(watch.set.jobs.has("crontab:four")).toBe(true);
    folder.write("etc/crontab", "@daily five\n");
    await watch.until(({ jobs }) => jobs.has("crontab:five") && !jobs.has("crontab:four"));
    folder.write("etc/cron.d/y", "@daily y\n");
    await watch.until(({ jobs }) => jobs.has("y:y"));
  });

  test("what the kernel doesn't tell, the look that comes anyway finds: the far end of a link", async () => {
    using folder = scene();
    using watch = await watched(folder, 100);
    folder.write("other/l", job("new"));
    await watch.until(({ jobs }) => runs(jobs.get("link"), "new"));
  });

  test("a tree that is not there yet", async () => {
    using folder = jobFolder();
    rmSync(`${folder.path}/tree`, { recursive: true });
    using watch = await watched(folder);
    expect(watch.set.broken.length).toBe(1);
    folder.write("tree/a");
    await watch.until(({ jobs, broken }) => jobs.has("a") && broken.length === 0);
  });

  test("places may end with slashes", async () => {
    using folder = jobFolder({ userColumn: "no" });
    folder.write("tree/a");
    folder.write("cron.d/b", "@daily x\n");
    const places = { tree: `${folder.path}/tree/`, crontabs: [`${folder.path}/cron.d//`] };
    using watch = await watched({ ...folder, options: { ...folder.options, places } });
    expect(watch.set.jobs.get("a")?.source.path).toBe(`${folder.path}/tree/a`);
    expect(namesOf(watch.set)).toEqual(["a", "b:x"]);
    folder.move("tree", "tree.old");
    folder.write("tree/c");
    await watch.until(({ jobs }) => jobs.has("c") && !jobs.has("a"));
  });

  test("many events become few looks", async () => {
    using folder = jobFolder();
    using watch = await watched(folder);
    for (let n = 0; n < 300; n++) folder.write(`tree/d${n % 10}/job-${n}`);
    await watch.until(({ jobs }) => jobs.size === 300);
    expect(watch.changes.length).toBeLessThan(20);
  });

  test("reload() tells its difference to who asks, and to nobody else", async () => {
    using folder = jobFolder();
    folder.write("tree/a");
    let calls = 0;
    const watch = await watchJobs({ ...folder.options, onChange: () => calls++, onProblem: () => calls++ });
    const change = await watch.reload({ ...folder.options.terms, mailTo: "ops@example.org" });
    expect(change?.changed.map(({ name }) => name)).toEqual(["a"]);
    expect(calls).toBe(0);
    watch.close();
    folder.write("tree/b");
    await Bun.sleep(150);
    expect(calls).toBe(0);
  });

  test("whatever is done, the set is at last what a fresh look finds", async () => {
    const name = fc.constantFrom("a", "b", "d/a", "d/b", "d/e/c", "d", "e", "x.crontab", "..data", "l");
    const act = fc.tuple(
      fc.constantFrom("write", "replace", "move", "remove", "link"),
      name,
      name,
      fc.nat(9),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 20, maxLength: 40 }), async (acts) => {
        using folder = jobFolder({ userColumn: "no" });
        using watch = await watched(folder);
        for (const [kind, one, other, number] of acts) {
          const text = number === 0 ? "nonsense" : job(String(number));
          try {
            if (kind === "write") folder.write(`tree/${one}`, text);
            else if (kind === "replace") folder.replace(`tree/${one}`, text);
            else if (kind === "move") folder.move(`tree/${one}`, `tree/${other}`);
            else if (kind === "remove") folder.remove(`tree/${one}`);
            else folder.link(`tree/${one}`, other);
          } catch {
            // Not possible just then, such as a file where a folder is: the next.
          }
          if (number > 7) await Bun.sleep(number * 5);
        }
        const commandsOf = ({ jobs }: JobSet) =>
          JSON.stringify([...jobs.values()].map(({ name, command }) => [name, command]));
        const fresh = await loaded(folder);
        // What is broken is kept as it was, which a fresh look can't know.
        const withoutBroken = ({ jobs, broken }: JobSet) => ({
          jobs: new Map(
            [...jobs].filter(
              ([, { source }]) => !fresh.set.broken.some(({ path }) => source.path.startsWith(path)),
            ),
          ),
          nodes: new Map(),
          broken,
          warnings: [],
          fileCount: 0,
        });
        await watch.until((set) => commandsOf(withoutBroken(set)) === commandsOf(withoutBroken(fresh.set)));
      }),
      { numRuns: 12 },
    );
  }, 60_000);

  test("of 10,000 files one is changed: taken up within 200 ms, mostly", async () => {
    using folder = jobFolder();
    for (let n = 0; n < 10_000; n++) folder.write(`tree/team-${n % 100}/job-${n}`);
    using watch = await watched(folder);
    expect(watch.set.jobs.size).toBe(10_000);
    const times: number[] = [];
    for (let round = 1; round <= 9; round++) {
      await Bun.sleep(20);
      folder.replace("tree/team-5/job-5", job(String(round)));
      times.push(await watch.until(({ jobs }) => runs(jobs.get("team-5/job-5"), String(round))));
    }
    times.sort((a, b) => a - b);
    if (process.env["RCRON_TELL"] !== undefined) console.log(times.map(Math.round).join(" "));
    // The median, for others use this machine too.
    expect(times[4]).toBeLessThan(200);
  }, 60_000);
});

/** The journal: what a run adds, whatever is in its way. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { appendEvent, historyFolder } from "../../src/history/history.ts";
import { segmentBytes, segmentsKept } from "../../src/history/journal.ts";
import { describeOnPrivateHost, onPrivateHost, project } from "../support/private-host.ts";
import { run, temporaryFolder } from "../support/program.ts";
import { ask, end, everything, journal, skip, start } from "./events.ts";

const scratch = temporaryFolder();
afterAll(() => scratch[Symbol.dispose]());
let folders = 0;
const newFolder = () => join(scratch.path, String(folders++), "rcron");
const appender = join(import.meta.dir, "append-some.ts");

describe("historyFolder()", () => {
  test.each([
    ["none", undefined],
    ["/var/log/rcron", "/var/log/rcron"],
  ])("%s is %p", (setting, folder) => {
    expect(historyFolder(setting)).toBe(folder);
  });

  const isRoot = process.geteuid?.() === 0;
  test.each([
    [{ XDG_STATE_HOME: "/s", HOME: "/h" }, "/s/rcron"],
    [{ XDG_STATE_HOME: "s", HOME: "/h" }, "/h/.local/state/rcron"],
    [{ XDG_STATE_HOME: "", HOME: "h" }, undefined],
    [{}, undefined],
  ])("auto with %p is the user's own, and root's the machine's", (variables, folder) => {
    const { XDG_STATE_HOME, HOME } = process.env;
    try {
      delete process.env["XDG_STATE_HOME"];
      delete process.env["HOME"];
      Object.assign(process.env, variables);
      expect(historyFolder("auto")).toBe(isRoot ? "/var/lib/rcron" : folder);
    } finally {
      Object.assign(process.env, { XDG_STATE_HOME: XDG_STATE_HOME ?? "", HOME: HOME ?? "" });
    }
  });
});

describe("appendEvent()", () => {
  test("makes folder and file for their owner alone, and begins and ends each line with a line end", () => {
    const folder = newFolder();
    expect(appendEvent(folder, start("a1"))).toBeUndefined();
    expect(appendEvent(folder, end("a1"))).toBeUndefined();
    expect(readFileSync(`${folder}/journal`, "utf8")).toMatch(/^\n\{.*"a1".*\}\n\n\{.*"a1".*\}\n$/);
    expect([folder, `${folder}/journal`].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
  });

  test("writes a line that is longer than the scratch memory", async () => {
    const folder = newFolder();
    expect(appendEvent(folder, start("a1", { text: "ä".repeat(100_000) }))).toBeUndefined();
    const { answer } = await ask(folder, everything);
    expect(answer[0]?.command).toBe("ä".repeat(4096));
  });

  test.each([
    ["a folder", (path: string) => mkdirSync(path), "EISDIR"],
    ["a symlink", (path: string) => symlinkSync("/tmp/elsewhere", path), "ELOOP"],
    ["a FIFO", (path: string) => Bun.spawnSync(["mkfifo", path]), "ENXIO"],
  ] as const)("refuses %s in the journal's place", (_, make, code) => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    make(`${folder}/journal`);
    expect(appendEvent(folder, start("a1"))?.code).toBe(code);
  });

  test("refuses a FIFO even while somebody reads it", () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    Bun.spawnSync(["mkfifo", `${folder}/journal`]);
    const reader = openSync(`${folder}/journal`, constants.O_RDONLY | constants.O_NONBLOCK);
    expect(appendEvent(folder, start("a1"))?.code).toBe("ESPIPE");
    closeSync(reader);
  });

  test("says why there is no folder, and a NUL in its name is an error too", () => {
    const folder = newFolder();
    mkdirSync(join(folder, ".."), { recursive: true });
    writeFileSync(folder, "");
    expect(appendEvent(folder, start("a1"))?.code).toBe("ENOTDIR");
    expect(appendEvent(`${folder}/deeper`, start("a1"))?.code).toBe("ENOTDIR");
    expect(appendEvent("/tmp/x\0y", start("a1"))?.code).toBe("ENOENT");
  });

  test("sets a full journal aside, keeps so many of them, and removes none that is newer", () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    const tomorrow = Date.now() + 86_400_000; // the clock was ahead once
    for (let at = 0; at < segmentsKept; at++) writeFileSync(`${folder}/journal.${tomorrow + at}`, "");
    writeFileSync(`${folder}/journal`, "x".repeat(segmentBytes - 10));
    expect(appendEvent(folder, start("a1"))).toBeUndefined();
    const names = readdirSync(folder).sort();
    expect(names).not.toContain("journal");
    expect(names).not.toContain(`journal.${tomorrow}`);
    expect(names).toHaveLength(segmentsKept);
    expect(readFileSync(`${folder}/journal.${tomorrow + segmentsKept}`, "utf8")).toContain('"a1"');
    expect(appendEvent(folder, start("a2"))).toBeUndefined();
    expect(statSync(`${folder}/journal`).size).toBeLessThan(1000);
  });

  test("two hundred processes in the same second lose nothing, while a reader folds and the journal is set aside", async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    // So near to the limit that it is passed in the middle.
    writeFileSync(`${folder}/journal`, "\n".repeat(segmentBytes - 40_000));
    const script = 'i=0; while [ $i -lt 200 ]; do "$1" "$2" "$3" $i & i=$((i + 1)); done; wait';
    const all = run(["sh", "-c", script, "sh", process.execPath, appender, folder], { timeoutMs: 100_000 });
    let isDone = false;
    const reading = (async () => {
      while (!isDone) {
        await ask(folder, everything);
        await Bun.sleep(20);
      }
    })();
    const ended = await all;
    isDone = true;
    await reading;
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    const { answer, warnings } = await ask(folder, everything);
    expect(warnings).toEqual([]);
    expect(answer.map(({ id, state }) => `${id} ${state}`).sort()).toEqual(
      Array.from({ length: 200 }, (_, at) => `run-${at} succeeded`).sort(),
    );
    expect(readdirSync(folder).filter((name) => /^journal\.\d+$/.test(name))).toHaveLength(1);
  }, 120_000);
});

describeOnPrivateHost("the journal on a disk of its own", [], () => {
  test("tells a full disk and a read-only one, and neither spoils the line after it", async () => {
    const script = `
mkdir /mnt/full
mount -t tmpfs -o size=64k,mode=700 tmpfs /mnt/full
cd '${project}'
head -c 65000 /dev/zero >/mnt/full/ballast
status=0
for n in 1 2 3 4 5 6 7 8 9; do '${process.execPath}' '${appender}' /mnt/full $n 2>>/mnt/errors || status=$?; done
rm /mnt/full/ballast
'${process.execPath}' '${appender}' /mnt/full after
grep -c '"run-after"' /mnt/full/journal
mount -o remount,ro /mnt/full
'${process.execPath}' '${appender}' /mnt/full never 2>&1 || echo "status $?"
sort -u /mnt/errors`;
    const { stdout, exitCode } = await onPrivateHost(script, 60_000);
    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toEqual(["2", "EROFS", "status 1", "ENOSPC"]);
  }, 70_000);
});

test("a journal that nobody has written is no error", async () => {
  const folder = newFolder();
  expect(existsSync(folder)).toBe(false);
  const { answer, warnings } = await ask(folder, everything);
  expect(answer).toEqual([]);
  expect(warnings).toEqual([`nothing has been recorded in ${folder} yet`]);
  expect(existsSync(folder)).toBe(false);
  journal(folder, skip());
  expect((await ask(folder, everything)).answer).toHaveLength(1);
});

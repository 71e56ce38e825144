/** The daemon's memory: what a new daemon finds, whatever became of the old one. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BookedRun, TickBook } from "../../src/daemon/tick-book.ts";
import { noonMs } from "./fake-parts.ts";

const place = mkdtempSync(join(tmpdir(), "rcron-book-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));
let count = 0;
const newFolder = () => join(place, String(count++), "daemon");

const due: BookedRun = {
  run: "0123456789abcdef",
  job: "web/backup",
  atMs: noonMs,
  localMs: noonMs + 3_600_000,
  startAtMs: noonMs + 500,
  isMadeUp: false,
  askedBy: undefined,
  state: "due",
  mark: undefined,
  nodes: new Map(),
  startedAtMs: undefined,
};

/** Opens a book that must be in order. */
function open(folder: string): TickBook {
  return TickBook.open(folder, (sentence) => {
    throw new Error(sentence);
  });
}

describe("TickBook", () => {
  test("is empty at first", () => {
    const book = open(newFolder());
    expect(book.read()).toEqual({
      horizonMs: undefined,
      boot: undefined,
      known: new Map(),
      runs: [],
      pauses: [],
    });
    book.close();
  });

  test("keeps everything for the next daemon, though nobody has closed it", () => {
    const folder = newFolder();
    const book = open(folder);
    const asked = { ...due, run: "b", askedBy: "mona", isMadeUp: true, atMs: noonMs - 1 };
    book.plan([due, asked, { ...due, run: "c" }], noonMs);
    book.starting("b");
    book.starting("c");
    book.running("c", "its mark", noonMs + 600);
    book.plan([], noonMs, {
      boot: "boot-1",
      known: {
        put: new Map([
          ["web/backup", "* * * * *"],
          ["gone", "x"],
        ]),
        drop: [],
      },
    });
    book.plan([], noonMs, { known: { put: new Map([["web/backup", "every 5"]]), drop: ["gone"] } });
    const pause = { job: undefined, sinceMs: noonMs, untilMs: noonMs + 1, why: "disks", by: "root" };
    book.setPauses([pause, { ...pause, job: "a" }]);
    book.setPauses([{ ...pause, job: "b" }, pause]);

    expect(open(folder).read()).toEqual({
      horizonMs: noonMs,
      boot: "boot-1",
      known: new Map([["web/backup", "every 5"]]),
      runs: [
        { ...asked, state: "starting" },
        due,
        { ...due, run: "c", state: "running", mark: "its mark", startedAtMs: noonMs + 600 },
      ],
      pauses: [{ ...pause, job: "b" }, pause],
    });
  });

  test("a second attempt changes the mark, and not when the run began", () => {
    const folder = newFolder();
    const book = open(folder);
    book.plan([due], noonMs);
    book.running(due.run, "first", 1);
    book.running(due.run, "second", 2);
    expect(book.read().runs[0]).toMatchObject({ mark: "second", startedAtMs: 1 });
  });

  test("forgets what is over", () => {
    const book = open(newFolder());
    book.plan([due, { ...due, run: "b" }], noonMs);
    book.over(due.run);
    book.over("never there");
    expect(book.read().runs.map(({ run }) => run)).toEqual(["b"]);
    book.plan([], noonMs + 1);
    expect(book.read().horizonMs).toBe(noonMs + 1);
  });

  test("is for its owner alone", () => {
    const folder = newFolder();
    open(folder).close();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
  });

  test("moves a broken one aside, says so, and begins anew", () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "daemon.db"),
      "no database at all, but long enough to be taken for one".repeat(40),
    );
    const told: string[] = [];
    const book = TickBook.open(folder, (sentence) => told.push(sentence));
    book.plan([due], noonMs);
    expect(book.read().runs).toHaveLength(1);
    expect(told.join()).toContain("daemon.db was broken");
    expect(readdirSync(folder)).toContain("daemon.db.broken");
  });

  test.each([
    ["a file is in the folder's place", (folder: string) => writeFileSync(folder, "")],
    [
      "a link is in the file's place",
      (folder: string) => {
        mkdirSync(folder);
        symlinkSync("/etc/hostname", join(folder, "daemon.db"));
      },
    ],
  ])("where it can't be kept, says so once and goes on: %s", (_, spoil) => {
    const folder = newFolder();
    mkdirSync(join(folder, ".."), { recursive: true });
    spoil(folder);
    const told: string[] = [];
    const book = TickBook.open(folder, (sentence) => told.push(sentence));
    book.plan([due], noonMs);
    book.starting(due.run);
    book.over(due.run);
    expect(book.read().runs).toEqual([]);
    expect(told).toHaveLength(1);
    expect(book.trouble).toBe(told[0] ?? "nothing told");
  });
});

/** Lines for a reader who may never come. */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { PatientLines } from "../../src/cli/patient-lines.ts";
import { run, temporaryFolder } from "../support/program.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

describe("PatientLines", () => {
  test("never waits for a reader, keeps what there is no room for, and brings it in order", async () => {
    const path = join(folder.path, "fifo");
    expect((await run(["mkfifo", path])).exitCode).toBe(0);
    const fd = openSync(path, "r+"); // both ends: nobody else is needed to open it
    const lines = new PatientLines(fd);
    for (let at = 0; at < 4000; at++) lines.add(`line ${at} ${"x".repeat(100)}`);
    expect(lines.lost).toBe(0);
    const buffer = Buffer.alloc(64 * 1024);
    let text = "";
    for (let tries = 0; !text.includes("line 3999 ") && tries < 2000; tries++) {
      text += buffer.toString("utf8", 0, readSync(fd, buffer, 0, 1024, null));
      if (tries % 50 === 0) await Bun.sleep(110);
    }
    const numbers = text
      .trimEnd()
      .split("\n")
      .slice(0, 3999)
      .map((line) => Number(line.split(" ")[1]));
    expect(numbers).toEqual(Array.from({ length: 3999 }, (_, at) => at));
    lines.close();
    closeSync(fd);
  });

  test("loses the oldest of what is too much, and tells how many", async () => {
    const path = join(folder.path, "full");
    expect((await run(["mkfifo", path])).exitCode).toBe(0);
    const fd = openSync(path, "r+");
    const lines = new PatientLines(fd);
    for (let at = 0; at < 2000; at++) lines.add("x".repeat(1000));
    expect(lines.lost).toBeGreaterThan(500);
    lines.close();
    closeSync(fd);
  });

  test("a reader who has gone is no error", () => {
    const path = join(folder.path, "full");
    const fd = openSync(path, "r+");
    closeSync(fd);
    const lines = new PatientLines(fd);
    lines.add("to nobody");
    expect(lines.lost).toBe(0);
    lines.close();
  });
});

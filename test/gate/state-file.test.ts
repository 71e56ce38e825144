import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseState, readState } from "../../src/gate/gate.ts";
import { temporaryFolder } from "../support/program.ts";

describe("parseState()", () => {
  test("it is total, and agrees with a plain reading of the rule", () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .array(
          fc.constantFrom(
            "active",
            "passive",
            "ACTIVE",
            " ",
            "\n",
            "\r",
            "\t",
            "\v",
            "\f",
            "x",
            "\0",
            "inactive",
          ),
        )
        .map((parts) => new TextEncoder().encode(parts.join(""))),
    );
    fc.assert(
      fc.property(content, (bytes) => {
        const first = Buffer.from(bytes)
          .toString("latin1")
          .replace(/^[ \t-\r]+/, "")
          .split(/[ \t-\r]/)[0]
          ?.toLowerCase();
        expect(parseState(bytes) as string | undefined).toBe(
          first === "active" || first === "passive" ? first : undefined,
        );
      }),
      { numRuns: 5000 },
    );
  });
});

describe("readState()", () => {
  test("a file that is emptied and written again, as echo does it, is read as empty only if it stays so for 15 ms", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    writeFileSync(path, "passive\n");
    const writer = Bun.spawn([
      "/bin/sh",
      "-c",
      `i=0; while [ $i -lt 500 ]; do echo passive > ${path}; sleep 0.001; i=$((i+1)); done`,
    ]);
    let words = 0;
    while (writer.exitCode === null) {
      const begun = performance.now();
      const reading = readState(path);
      if (reading.kind === "word") {
        expect(reading).toEqual({ kind: "word", path, state: "passive", provenance: {} });
        words++;
      } else expect(performance.now() - begun).toBeGreaterThanOrEqual(14.9); // a busy machine kept the writer waiting
      await Bun.sleep(0);
    }
    expect(words).toBeGreaterThan(10);
  });

  test("a file that is replaced in one step under its readers is always one word or the other", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    writeFileSync(path, "passive\n");
    const line = `i=0; while [ $i -lt 400 ]; do for w in active passive; do echo $w > ${path}.new; mv ${path}.new ${path}; done; i=$((i+1)); done`;
    const writer = Bun.spawn(["/bin/sh", "-c", line]);
    const seen = new Set<string>();
    while (writer.exitCode === null) {
      const reading = readState(path);
      seen.add(reading.kind === "word" ? reading.state : reading.kind);
      await Bun.sleep(0);
    }
    expect([...seen].sort()).toEqual(["active", "passive"]);
  });

  test("what stands behind the word is read with it, in the file's first 4 kB", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    const told = () => {
      const reading = readState(path);
      return reading.kind === "word" ? reading.provenance : reading;
    };
    writeFileSync(path, "active\nepoch=7\nwriter=jane\n");
    expect(told()).toEqual({ epoch: 7, writer: "jane" });
    writeFileSync(path, "Active\r\nepoch=7\r\n\r\n# by hand\r\nwriter=jane");
    expect(told()).toEqual({ epoch: 7, writer: "jane" });
    writeFileSync(path, `active\nepoch=7\n${"x".repeat(5000)}\nwriter=jane\n`);
    expect(told()).toEqual({ epoch: 7 });
  });

  test("a line that 4 kB cut in two says nothing: half an epoch would be another one", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    const filler = "x".repeat(4096 - "active\nepoch=7\n".length - "\nvalid_until=2026".length);
    writeFileSync(path, `active\nepoch=7\n${filler}\nvalid_until=2026-11-21T12:00:00Z\n`);
    expect(readState(path)).toMatchObject({ kind: "word", provenance: { epoch: 7 } });
    expect(readState(path)).not.toHaveProperty("provenance.validUntilMs");
  });

  test("a state file of 1 GB is read as fast as any: only its start counts", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "state");
    Bun.spawnSync(["truncate", "-s", "1G", path]);
    expect(readState(path)).toMatchObject({ kind: "corrupted" });
    Bun.spawnSync(["/bin/sh", "-c", `printf 'active\\n' | dd of=${path} conv=notrunc status=none`]);
    expect(readState(path)).toMatchObject({ kind: "word", state: "active" });
  });

  test("a folder, a FIFO without a writer and a FIFO with one are refused at once", async () => {
    using folder = temporaryFolder();
    const at = (name: string) => join(folder.path, name);
    mkdirSync(at("folder"));
    Bun.spawnSync(["mkfifo", at("fifo"), at("written")]);
    const writer = Bun.spawn(["/bin/sh", "-c", `exec 3<>${at("written")}; echo active >&3; sleep 5`]);
    await Bun.sleep(100);
    expect(readState(at("folder"))).toMatchObject({ kind: "unreadable", error: { code: "EISDIR" } });
    expect(readState(at("fifo"))).toMatchObject({ kind: "unreadable", error: { code: "ESPIPE" } });
    expect(readState(at("written"))).toMatchObject({ kind: "unreadable", error: { code: "ESPIPE" } });
    expect(readState(at("missing"))).toMatchObject({ kind: "unreadable", error: { code: "ENOENT" } });
    writer.kill();
    await writer.exited;
  });
});

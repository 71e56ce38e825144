/**
 * The rooms of src/ and the arrows between them, with the reason for each; docs/layout.md draws the same table.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { project } from "./support/program.ts";

const rooms: Readonly<Record<string, { may: readonly string[]; because: string }>> = {
  model: { may: [], because: "the words outlive every technology" },
  system: { may: ["model"], because: "it reports in Problems" },
  gate: { may: ["model", "system"], because: "it reads two files" },
  election: { may: ["model", "system", "gate"], because: "it writes the file that the gate reads" },
  doctor: { may: ["model", "system", "gate"], because: "it looks at what the others read" },
  schedule: { may: ["model", "system"], because: "time arithmetic stays pure and tabular" },
  jobs: { may: ["model", "system", "schedule"], because: "a job leaves it parsed and proven" },
  execute: { may: ["model", "system"], because: "adapters never import one another" },
  history: { may: ["model", "system"], because: "adapters never import one another" },
  notify: { may: ["model", "system"], because: "adapters never import one another" },
  daemon: {
    may: ["model", "system", "schedule"],
    because: "executor, store, notifier and gate are handed to it: it is tested with fakes",
  },
  api: { may: ["model"], because: "it sees rows only, and is tested without a socket" },
  cli: {
    may: [
      "model",
      "system",
      "gate",
      "election",
      "doctor",
      "schedule",
      "jobs",
      "execute",
      "history",
      "notify",
      "daemon",
      "api",
    ],
    because: "the only place that knows all the parts",
  },
};
const packageRooms: Readonly<Record<string, string>> = { nodemailer: "notify" };
/** Every file of these is public; of every other room, the file that bears its name. */
const open = ["model", "system"];

interface Import {
  readonly file: string;
  readonly target: string;
}

function sourcesOf(folder: string): string[] {
  return readdirSync(join(project, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .sort();
}

function importsOf(file: string): Import[] {
  const code = readFileSync(join(project, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  const found = code.matchAll(/^(?:import|export)\b[^"']*?\bfrom\s+"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/gm);
  return [...found].map(([, from, direct]) => {
    const target = from ?? direct ?? "";
    const isOurs = target.startsWith(".");
    return { file, target: isOurs ? relative(project, join(project, dirname(file), target)) : target };
  });
}

const sources = sourcesOf("src");
const imports = sources.flatMap(importsOf);
const roomOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1];

describe("the rooms", () => {
  test("every file of src/ is in a known room", () => {
    for (const file of sources) expect(Object.keys(rooms)).toContain(roomOf(file) ?? file);
  });

  for (const [room, { may, because }] of Object.entries(rooms)) {
    test(`${room} imports ${may.join(", ") || "nothing"}: ${because}`, () => {
      const strangers = imports
        .filter(
          ({ file, target }) =>
            roomOf(file) === room && roomOf(target) !== undefined && roomOf(target) !== room,
        )
        .filter(({ target }) => !may.includes(roomOf(target) ?? ""));
      expect(strangers).toEqual([]);
    });
  }

  test("a room is entered by its door, the file that bears its name", () => {
    const burglars = imports.filter(({ file, target }) => {
      const room = roomOf(target);
      if (room === undefined || room === roomOf(file) || open.includes(room)) return false;
      return target !== `src/${room}/${room}.ts`;
    });
    expect(burglars).toEqual([]);
  });

  test("model and gate know no system call: files, processes and sockets are system's and execute's", () => {
    const outside = imports.filter(
      ({ file, target }) => roomOf(file) === "model" && roomOf(target) === undefined,
    );
    expect(outside).toEqual([]);
    for (const file of sources.filter((name) => /^src\/(model|gate)\//.test(name))) {
      expect(readFileSync(join(project, file), "utf8")).not.toMatch(
        /["']node:|Bun\.(spawn|file|write)|(?<![.\w])process\.\w/,
      );
    }
  });

  test("a package is imported by the one room that it is for", () => {
    const packages = imports.filter(
      ({ target }) => !target.startsWith("src/") && !/^(node:|bun:|package\.json$)/.test(target),
    );
    expect(
      packages.filter(({ file, target }) => roomOf(file) !== packageRooms[target.split("/", 1)[0] ?? ""]),
    ).toEqual([]);
  });

  test("only the entry ends the process, and nothing is awaited at the top of a file", () => {
    for (const file of sources) {
      const code = readFileSync(join(project, file), "utf8");
      expect(code).not.toMatch(/process\.exit\(/);
      expect(code).not.toMatch(/^(const .* = )?await /m);
    }
  });

  test("no file is so long that it holds two ideas, and none is named for a pattern", () => {
    for (const file of sources) {
      expect(readFileSync(join(project, file), "utf8").split("\n").length).toBeLessThan(400);
      expect(file).not.toMatch(/[-/](utils?|helpers?|types|interfaces|common|manager|base|index)\.ts$/);
    }
  });
});

describe("the hot path", () => {
  const { outputs } = JSON.parse(readFileSync(join(project, "dist/modules.json"), "utf8")) as {
    outputs: Record<
      string,
      { entryPoint?: string; inputs: Record<string, unknown>; imports: { path: string; kind: string }[] }
    >;
  };

  /** The modules that are loaded with an output: its own, and those of what it imports at once. */
  function loadedWith(name: string, seen = new Set<string>()): string[] {
    const output = outputs[name];
    if (output === undefined || seen.has(name)) return [];
    seen.add(name);
    const atOnce = output.imports.filter(({ kind }) => kind === "import-statement");
    return [...Object.keys(output.inputs), ...atOnce.flatMap(({ path }) => loadedWith(path, seen))];
  }

  test("a passive machine loads these modules and nothing else", () => {
    const entry = Object.keys(outputs).find((name) => outputs[name]?.entryPoint === "bin/rcron.ts");
    expect(loadedWith(entry ?? "").sort()).toEqual([
      "bin/rcron.ts",
      "src/cli/gated-run.ts",
      "src/cli/record.ts",
      "src/cli/terminal.ts",
      "src/cli/wrap.ts",
      "src/gate/conf.ts",
      "src/gate/gate.ts",
      "src/gate/record-conf.ts",
      "src/gate/state-file.ts",
      "src/gate/witnesses.ts",
      "src/history/history.ts",
      "src/history/journal.ts",
      "src/model/duration.ts",
      "src/model/ip-address.ts",
      "src/model/log-line.ts",
      "src/model/mail-through.ts",
      "src/model/nearest-word.ts",
      "src/model/outcome.ts",
      "src/model/output-rule.ts",
      "src/model/printable.ts",
      "src/model/problem.ts",
      "src/model/provenance.ts",
      "src/model/raw-text.ts",
      "src/model/redact.ts",
      "src/model/setting-lines.ts",
      "src/model/syslog-names.ts",
      "src/system/addresses.ts",
      "src/system/boot.ts",
      "src/system/files.ts",
      "src/system/libc.ts",
      "src/system/other-processes.ts",
      "src/system/raw-words.ts",
      "src/system/syslog.ts",
    ]);
  });

  test("no part of the program imports a built-in module of Node: each would be put into the file, and read at every start", () => {
    for (const { imports: list } of Object.values(outputs)) {
      expect(list.filter(({ path }) => /^(node|bun):/.test(path))).toEqual([]);
    }
  });
});

/** The manual pages: sound, and complete against the program itself. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { daemonDefaults } from "../../src/gate/daemon-conf.ts";
import { confDefaults } from "../../src/gate/gate.ts";
import { nodeDefaults } from "../../src/gate/node-sections.ts";
import { describeWith } from "../support/debian.ts";
import { project, run } from "../support/program.ts";
import { controlVocabulary, prefixOptions, schedulerOptions } from "./vocabulary.ts";

const folder = join(project, "docs/man");
const pages = readdirSync(folder);
const sourceOf = (name: string) => readFileSync(join(folder, name), "utf8");

/** The lines from the heading that begins so to the next one of its rank, or a higher one. */
function sectionOf(source: string, heading: string): string {
  const lines = source.split("\n");
  const start = lines.findIndex((line) => line.startsWith(heading));
  const isEnd = heading.startsWith(".Ss") ? /^\.S[hs] / : /^\.Sh /;
  const length = lines.slice(start + 1).findIndex((line) => isEnd.test(line));
  return start < 0 ? "" : lines.slice(start, length < 0 ? undefined : start + 1 + length).join("\n");
}

const optionsIn = (source: string) =>
  [...source.matchAll(/^\.It Fl -([a-zA-Z-]+)/gm)].map(([, name]) => `--${name}`).sort();

describeWith("mandoc", ["mandoc"], () => {
  test.each(pages)("has no warning about %s", async (page) => {
    const ended = await run(["mandoc", "-Tlint", "-W", "warning", join(folder, page)]);
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});

describeWith("groff", ["groff"], () => {
  test.each(pages)("has no warning about %s", async (page) => {
    const ended = await run(["groff", "-mandoc", "-ww", "-z", join(folder, page)]);
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});

describe("rcron.conf(5)", () => {
  const page = sourceOf("rcron.conf.5");
  const parts = [
    { heading: "KEYS", defaults: confDefaults },
    { heading: "THE SCHEDULER", defaults: daemonDefaults },
    { heading: "NODES", defaults: nodeDefaults },
  ];

  test.each(parts)("has every key under $heading, and no other", ({ heading, defaults }) => {
    const documented = [...sectionOf(page, `.Sh ${heading}`).matchAll(/^\.It Cm ([a-z_]+)$/gm)];
    expect(documented.map(([, key]) => key).sort()).toEqual(Object.keys(defaults).sort());
  });

  test.each(
    parts.flatMap(({ heading, defaults }) =>
      Object.entries(defaults).map(([key, value]) => ({ heading, key, value })),
    ),
  )("tells the default of $key: $value", ({ heading, key, value }) => {
    const keys = sectionOf(page, `.Sh ${heading}`);
    const [, about = ""] = new RegExp(`^\\.It Cm ${key}\n([\\s\\S]*?)^\\.(?:It|El)`, "m").exec(keys) ?? [];
    expect(/^Default:\n\.\S+ (.*)$/m.exec(about)?.[1]).toBe(value);
  });

  test("has every reason of docs/verdicts.md, and every key of the state file", () => {
    const verdicts = readFileSync(join(project, "docs/verdicts.md"), "utf8");
    const [withWord = "", file = ""] = verdicts.split("\n## The file\n");
    const reasons = new Set(
      [...withWord.matchAll(/`((?:state|boot|writer|address)-[a-z-]+)`/g)].map(([, code]) => code),
    );
    expect(reasons.size).toBeGreaterThan(10);
    for (const reason of reasons) expect(page).toMatch(new RegExp(`Cm ${reason}$`, "m"));
    const fields = [...file.matchAll(/^\| (`[a-z_`, ]+`) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/[a-z_]+/g)].map(([name]) => name),
    );
    expect(fields.length).toBeGreaterThan(5);
    for (const field of fields) expect(page).toContain(`\n.It Cm ${field}\n`);
  });
});

describe("rcron(8)", () => {
  const page = sourceOf("rcron.8");

  test("has every option of rcron --help, and no other", async () => {
    expect(optionsIn(page)).toEqual(await prefixOptions());
  });

  test("has every variable that a job finds", () => {
    const source = readFileSync(join(project, "src/model/job.ts"), "utf8");
    const variables = [...new Set([...source.matchAll(/RCRON_[A-Z_]+/g)].map(([name]) => name))];
    expect(variables.length).toBeGreaterThan(3);
    for (const variable of variables) expect(page).toContain(`\n.It Ev ${variable}\n`);
  });

  test("has the exit statuses", () => {
    const statuses = sectionOf(page, ".Sh EXIT STATUS");
    for (const status of ["128+N", "0", "125", "126", "127"]) expect(statuses).toContain(`\n.It ${status}\n`);
  });
});

describe("rcrond(8)", () => {
  const page = sourceOf("rcrond.8");

  test("has every option of rcrond --help, and no other", async () => {
    expect(optionsIn(page)).toEqual(await schedulerOptions());
  });

  test("has every variable that a job finds", () => {
    const source = readFileSync(join(project, "src/model/job.ts"), "utf8");
    for (const [variable] of source.matchAll(/RCRON_[A-Z_]+/g))
      expect(page).toContain(`\n.It Ev ${variable}\n`);
  });

  test("has the signals and the exit statuses", () => {
    for (const signal of ["HUP", "TERM, INT", "KILL"])
      expect(sectionOf(page, ".Sh SIGNALS")).toContain(`\n.It ${signal}\n`);
    for (const status of [0, 1, 2]) expect(sectionOf(page, ".Sh EXIT STATUS")).toContain(`\n.It ${status}\n`);
  });
});

describe("rcronctl(8)", () => {
  const page = sourceOf("rcronctl.8");

  test("has every word with its options, and no other", async () => {
    const vocabulary = await controlVocabulary();
    const headings = [...page.matchAll(/^\.Ss rcronctl (.*)$/gm)].map(([, rest = ""]) => rest);
    const documented = headings.map((heading) => {
      const word = [...vocabulary.keys()]
        .filter((known) => known !== "" && `${heading} `.startsWith(`${known} `))
        .at(-1);
      return [word ?? heading, optionsIn(sectionOf(page, `.Ss rcronctl ${heading}`))];
    });
    const known = [...vocabulary].filter(([word]) => word !== "");
    // --help is told once for all words.
    expect(documented).toEqual(
      known.map(([word, options]) => [word, options.filter((option) => option !== "--help")]),
    );
  });
});

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseAcronFile } from "../../src/jobs/jobs.ts";
import { ruleKeys, ruleOf } from "../../src/model/rule-table.ts";
import { consistentSplayMs } from "../../src/schedule/schedule.ts";
import { project } from "../support/program.ts";
import { terms } from "./terms.ts";

const read = (text: string) => parseAcronFile(text, "web/job", "web/job", terms);
const only = (text: string) => {
  const { jobs, problems } = read(text);
  const [job] = jobs;
  if (job === undefined) throw new Error(problems.map(({ message }) => message).join("\n"));
  return job;
};
const messages = (text: string) => read(text).problems.map(({ message }) => message);
const rules = ruleKeys.filter((key) => key !== "name");

/** A value for each rule that is not its default. */
const values: Readonly<Record<(typeof rules)[number] & string, string>> = {
  if: "test -e /x",
  if_timeout: "5s",
  overlap: "skip",
  overlap_scope: "tree",
  splay: "1m",
  jitter: "1m",
  timeout: "1m",
  grace: "1m",
  preserve_status: "yes",
  error: "if-stderr",
  success: "0,1",
  retry: "2",
  retry_delay: "1m",
  skip_exit: "9",
  output: "/var/log/x",
  mail_every: "1h",
  ping: "https://example.org/x",
  webhook: "https://example.org/x",
  webhook_when: "always",
  slack: "https://example.org/x",
  nice: "5",
  user: "root",
  cwd: "/",
  umask: "022",
  env_file: "/etc/x",
};

describe("parseAcronFile()", () => {
  test.each(rules)("the rule %s is a word, with _ and with -", (key) => {
    const plain = only("at @daily\nrun x\n");
    const said = only(`at @daily\n${key} ${values[key]}\nrun x\n`);
    expect(Bun.deepEquals(said.rules, plain.rules)).toBe(false);
    expect(only(`at @daily\n${key.replaceAll("_", "-")} ${values[key]} # said\nrun x\n`).rules).toEqual(
      said.rules,
    );
  });

  test.each(rules.filter((key) => ruleOf(key).isRepeatable !== true))("the rule %s stands once", (key) => {
    const line = `${key} ${values[key]}\n`;
    expect(messages(`at @daily\n${line}${line}run x\n`)).toEqual([
      `web/job:3: ${key} must stand once: it stands on line 2 already`,
    ]);
  });

  test.each([
    ["10m", 600_000],
    ["90s", 90_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["minute", 60_000],
    ["hour", 3_600_000],
    ["day", 86_400_000],
  ])("every %s", (text, periodMs) => {
    expect(only(`every ${text}\nrun x\n`).schedule).toEqual({ kind: "every", periodMs, offsetMs: 0 });
  });

  test.each(["splay", "splay on", "splay yes", "splay # all of it"])(
    "%s: acron's consistent splay",
    (line) => {
      const offsetMs = consistentSplayMs("host-a", 600_000);
      expect(offsetMs).toBe(130_000);
      expect(only(`every 10m\n${line}\nrun x\n`).schedule).toEqual({
        kind: "every",
        periodMs: 600_000,
        offsetMs,
      });
    },
  );

  test("the path in messages is the file's, the name the job's, in the rules too", () => {
    const [job] = parseAcronFile("every 1h\nrun x\n", "/etc/rcron/jobs.d/a/b.cron", "a/b", terms).jobs;
    expect([job?.name, job?.rules.name, job?.source]).toEqual([
      "a/b",
      "a/b",
      { path: "/etc/rcron/jobs.d/a/b.cron", line: 2 },
    ]);
  });

  test("no output line: mail to who is said on the command line", () => {
    const [job] = parseAcronFile("every 1h\nrun x\n", "x", "x", { ...terms, mailTo: "ops@example.org" }).jobs;
    expect(job?.rules.outputs).toEqual([
      { isIfError: false, sink: { kind: "mail", address: "ops@example.org" } },
    ]);
  });

  test.each(["\0", "\x1b[1m", "\x07"])("a control character is refused: %j", (text) => {
    expect(messages(`every 1h\nrun echo ${text}\n`)[0]).toStartWith(
      "web/job:2: a line must be printable text: got ",
    );
  });

  test("a byte order mark is passed over, and bytes that are not UTF-8 reach the command", () => {
    expect(only("\ufeffevery 1h\nrun echo \udcff\n").command).toEqual({ kind: "shell", line: "echo \udcff" });
  });

  test("is total: any text is a job or has problems, each with its place", () => {
    const words = [
      "every",
      "at",
      "run",
      "if",
      "output",
      "env",
      "splay",
      "error",
      "timezone",
      "stdout",
      "send-stdout",
      "cluster",
      ...rules,
    ];
    const pieces = [
      "10m",
      "* * * * *",
      "@daily",
      "if-error",
      "/x",
      "a@b",
      "'",
      '"',
      "#",
      "\\",
      " ",
      "\t",
      "\r",
      "\0",
      "stderr",
      "never",
    ];
    const piece = fc.oneof(
      fc.constantFrom(...pieces),
      fc.string({ maxLength: 8 }),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    const value = fc.array(piece, { maxLength: 4 }).map((parts) => parts.join(" "));
    const line = fc.tuple(
      fc.constantFrom("", "", "", " ", "\t"),
      fc.oneof(fc.constantFrom(...words), fc.string()),
      value,
    );
    fc.assert(
      fc.property(fc.array(line.map(([indent, word, rest]) => `${indent}${word} ${rest}`)), (lines) => {
        const { jobs, problems } = read(lines.join("\n"));
        expect(jobs.length === 1).toBe(problems.length === 0);
        for (const problem of problems) {
          expect(problem.message).toStartWith("web/job");
          expect(problem.message).not.toMatch(/[\0\n\r\x1b]/);
        }
        for (const { command, schedule } of jobs) {
          expect(command.kind === "shell" && command.line.trim()).not.toBe("");
          expect(schedule.kind === "every" ? schedule.offsetMs < schedule.periodMs : true).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("what is written is what is read: commands without quotes and comments", () => {
    const shellWord = fc.stringMatching(/^[A-Za-z0-9_./$=;|&<>(){}*?-]{1,12}$/);
    fc.assert(
      fc.property(
        fc.array(fc.array(shellWord, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        (parts) => {
          const text = `every 1h\nrun ${parts.map((words) => words.join(" ")).join(" # c\n    ")}\n`;
          expect(only(text).command).toEqual({ kind: "shell", line: parts.flat().join(" ") });
        },
      ),
    );
  });

  test.each([
    ["docs/jobs.md", (word: string) => new RegExp(`^\\| \`${word}\` `, "m")],
    ["docs/man/rcron.jobs.5", (word: string) => new RegExp(`^\\.It Cm ${word}(?: |$)`, "m")],
  ])("%s has every word", (file, entryOf) => {
    const page = readFileSync(join(project, file), "utf8");
    const own = [
      "every",
      "at",
      "timezone",
      "run",
      "env",
      "cluster",
      "on",
      "missed",
      "start_deadline",
      "description",
    ];
    for (const word of [...own, "stdout", "stderr", "send-stdout", ...rules])
      expect(page).toMatch(entryOf(word));
  });
});

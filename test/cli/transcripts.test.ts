/**
 * Transcripts against the built binary: test/transcripts/*.txt.
 *
 * The heading is the claim; a section is a file that is there before (`-- name --`, or `-- name 755 --` with its mode);
 * the section `run` is the transcript: `$ ` a shell line, `> ` a line that it writes to standard output, `! ` one that
 * it writes to standard error, `? ` its exit status, where that is not 0. $WORK is the folder that it all happens in,
 * and ... stands for anything within a line.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { project, shell, temporaryFolder } from "../support/program.ts";
import { readSections } from "../support/sections.ts";

const folder = join(project, "test/transcripts");

describe("transcripts", () => {
  for (const file of readdirSync(folder).sort()) {
    const { heading, sections } = readSections(readFileSync(join(folder, file), "utf8"));
    test(`${file.replace(/\.txt$/, "")}: ${heading}`, async () => {
      using work = temporaryFolder();
      const here = (text: string) => text.replaceAll("$WORK", work.path);
      for (const [name, content] of sections) {
        const [, path = "", mode = "644"] = /^(\S+)(?: (\d+))?$/.exec(name) ?? [];
        if (path !== "run")
          writeFileSync(join(work.path, path), here(content), { mode: Number.parseInt(mode, 8) });
      }
      const steps = readSteps(here(sections.get("run") ?? ""));
      expect(steps.length).toBeGreaterThan(0);
      for (const step of steps) {
        const ended = await shell(step.line, {
          cwd: work.path,
          env: { WORK: work.path, RCRON_CONF: undefined },
        });
        const told = [
          `$ ${step.line}`,
          ...linesOf(ended.stdout).map((line) => `> ${line}`),
          ...linesOf(ended.stderr).map((line) => `! ${line}`),
          ...(ended.exitCode === 0 ? [] : [`? ${ended.exitCode}`]),
        ];
        const isMet =
          told.length === step.told.length && told.every((line, at) => matches(line, step.told[at] ?? ""));
        if (!isMet) expect(told.join("\n")).toBe(step.told.join("\n"));
      }
    });
  }
});

interface Step {
  readonly line: string;
  /** The step as it stands in the transcript, the shell line first. */
  readonly told: readonly string[];
}

function readSteps(transcript: string): Step[] {
  const steps: { line: string; told: string[] }[] = [];
  for (const text of linesOf(transcript)) {
    if (text.startsWith("$ ")) steps.push({ line: text.slice(2), told: [text] });
    else if (text !== "" && !text.startsWith("#")) steps.at(-1)?.told.push(text);
  }
  return steps;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function matches(line: string, pattern: string): boolean {
  const parts = pattern.split("...").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(line);
}

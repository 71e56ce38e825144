/** What bash, zsh and fish offer behind `rcron`, `rcronctl` and `rcrond`: asked of the real shells. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { placedFiles } from "../../bin/package/places.ts";
import { optionOf, ruleKeys, ruleOf } from "../../src/model/rule-table.ts";
import { describeWith } from "../support/debian.ts";
import { project, run, temporaryFolder } from "../support/program.ts";
import { controlVocabulary, prefixOptions, schedulerOptions } from "./vocabulary.ts";

setDefaultTimeout(60_000);

const scratch = temporaryFolder();
afterAll(() => scratch[Symbol.dispose]());
const root = join(scratch.path, "root");
const here = join(scratch.path, "here");

/** The completions in the folders in which the package has them, and a folder with one file to be in. */
for (const { from, path } of placedFiles(project).filter((file) => file.from.startsWith("etc/completion/"))) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  copyFileSync(join(project, from), join(root, path));
}
mkdirSync(here);
writeFileSync(join(here, "some.file"), "");

const env = {
  ...process.env,
  PATH: `${join(project, "dist")}:${process.env["PATH"]}`,
  HOME: join(scratch.path, "home"),
  XDG_DATA_DIRS: `${join(root, "usr/share")}:/usr/share`,
  TERM: "dumb",
};

interface Shell {
  readonly needs: readonly string[];
  /** A command that reads lines and prints each with what is offered behind it, parted by tabs. */
  readonly words: readonly string[];
}

const shells: Readonly<Record<string, Shell>> = {
  bash: {
    needs: ["/usr/share/bash-completion/bash_completion"],
    words: ["bash", "--norc", join(import.meta.dir, "complete.bash")],
  },
  zsh: {
    needs: ["zsh"],
    words: [
      "zsh",
      "-f",
      join(import.meta.dir, "complete.zsh"),
      join(root, "usr/share/zsh/vendor-completions"),
    ],
  },
  fish: {
    needs: ["fish"],
    words: [
      "fish",
      "-c",
      // What is described has a tab before the description.
      "while read -l line; string join \\t -- $line (complete -C $line | string replace -r '\\t.*' ''); end",
    ],
  },
};

/**
 * A line, and what stands for it in the table of a shell's answers: sorted, without the option that it is the value of,
 * the prefix if-error: and the folders of an absolute path. Some shells say these again, others do not.
 */
async function ask(shell: Shell, lines: readonly string[]): Promise<Map<string, string[]>> {
  const input = join(scratch.path, "lines");
  writeFileSync(input, lines.map((line) => `${line}\n`).join(""));
  const words = ["sh", "-c", 'input=$1; shift; exec "$@" <"$input"', "sh", input, ...shell.words];
  const { stdout, stderr } = await run(words, { cwd: here, env, timeoutMs: 50_000 });
  const answers = new Map<string, string[]>();
  for (const answer of stdout.split("\n")) {
    const [line = "", ...offers] = answer.split("\t");
    const bare = offers.map((offer) =>
      offer
        .replace(/^--[a-z-]+=/, "")
        .replace(/^if-error:(?=.)/, "")
        .replace(/\/$/, "")
        .replace(/^\/.*\//, ""),
    );
    answers.set(line.trimEnd(), [...new Set(bare)].filter((offer) => offer !== "" && offer !== "--").sort());
  }
  if (answers.size < lines.length) throw new Error(`too few answers:\n${stdout}${stderr}`);
  return answers;
}

const options = await prefixOptions();
const daemonOptions = await schedulerOptions();
const vocabulary = await controlVocabulary();
/** The rules that have fixed words, and those words. */
const worded = ruleKeys.flatMap((key): [string, readonly string[]][] => {
  const { value, words } = ruleOf(key);
  return value === undefined || words === undefined ? [] : [[optionOf(key), words]];
});
/** A value for each rule that has one. */
const allRules = ruleKeys
  .map((key) => `${optionOf(key)}${ruleOf(key).value === undefined ? "" : " x"}`)
  .join(" ");
const rows: readonly [line: string, offers: readonly string[]][] = [
  ["rcronctl ", [...new Set([...vocabulary.keys()].map((word) => word.split(" ")[0] ?? ""))].filter(Boolean)],
  ["rcronctl st", ["state", "status", "stop"]],
  ["rcronctl pause al", ["all"]],
  ["rcronctl resume al", ["all"]],
  ["rcronctl nodes ", ["test"]],
  ["rcronctl nodes test al", ["all"]],
  ["rcronctl pause x --for ", ["1d", "1h", "2h", "30m"]],
  ["rcronctl next --cron-dir some", ["some.file"]],
  ["rcronctl status --socket=some", ["some.file"]],
  ...[...vocabulary].map(([word, its]): [string, readonly string[]] => [
    word === "" ? "rcronctl --" : `rcronctl ${word} --`,
    its,
  ]),
  ["rcronctl state ", ["set"]],
  ["rcronctl state --is ", ["active", "passive"]],
  ["rcronctl state --is=p", ["passive"]],
  ["rcronctl state set ", ["active", "passive"]],
  ["rcronctl state set --valid-for 90s p", ["passive"]],
  ["rcronctl state set --state-file some", ["some.file"]],
  ["rcronctl state --conf=some", ["some.file"]],
  ["rcronctl state set --event STO", ["STOP"]],
  ["rcronctl state set --writer roo", ["root"]],
  ["rcronctl follow RCRON some", ["some.file"]],
  ["rcrond --", daemonOptions],
  ["rcrond --ch", ["--check"]],
  ["rcrond --check --", daemonOptions.filter((option) => option !== "--check" && option !== "--next")],
  ["rcrond --crontab some", ["some.file"]],
  ["rcrond --conf=some", ["some.file"]],
  [`rcrond --cron-dir ${scratch.path}/her`, ["here"]],
  [`rcrond --check ${scratch.path}/her`, ["here"]],
  ["rcrond --check some", []],
  ["rcrond --timezone Europe/Berl", ["Europe/Berlin"]],
  ["rcrond --mailto ", []],
  ["rcron --", options],
  ["rcron --conf x --", options.filter((option) => option !== "--as")],
  ["rcron --conf some", ["some.file"]],
  ["rcron --on-passive ", ["finish", "stop"]],
  ["rcron --on-passive=f", ["finish"]],
  ["rcron --as ", ["rcron", "rcronctl", "rcrond"]],
  ...worded.map(([option, words]): [string, readonly string[]] => [`rcron ${option} `, words]),
  ...worded.map(([option, words]): [string, readonly string[]] => [`rcron --explain ${option}=`, words]),
  ["rcron --timeout ", ["30s", "1m", "10m", "1h", "1d"]],
  ["rcron --output ", ["cron", "if-error:", "syslog"]],
  ["rcron --output if-error:", ["cron", "syslog"]],
  ["rcron --output cron --output=if-error:s", ["syslog"]],
  [`rcron --output ${here}/some`, ["some.file"]],
  [`rcron --output if-error:${here}/some`, ["some.file"]],
  ["rcron --output some", []],
  [`rcron --env-file=${here}/some`, ["some.file"]],
  ["rcron --env-file some", []],
  [`rcron --cwd ${here}/`, []],
  [`rcron --cwd ${scratch.path}/her`, ["here"]],
  ["rcron --user roo", ["root"]],
  ["rcron --if unshar", ["unshare"]],
  ["rcron --retry ", []],
  ["rcron --ping=https://x --preserve-status --jit", ["--jitter"]],
  // From the first word that is no option on, the command is completed as if rcron were not there.
  ["rcron unshar", ["unshare"]],
  ["rcron --conf x --explain unshar", ["unshare"]],
  [`rcron ${allRules} unshar`, ["unshare"]],
  ["rcron --output=if-error:cron --overlap wait=5m --ping https://x LANG=C unshar", ["unshare"]],
  ["rcron -- unshar", ["unshare"]],
  ["rcron LANG=C unshar", ["unshare"]],
  ["rcron ls some", ["some.file"]],
  ["rcron --shell rcronctl state set ", ["active", "passive"]],
];

for (const [name, shell] of Object.entries(shells)) {
  describeWith(`${name} offers`, shell.needs, () => {
    let asked: Promise<Map<string, string[]>> | undefined;
    test.each(rows)("what is due behind '%s'", async (line, offers) => {
      asked ??= ask(
        shell,
        rows.map(([each]) => each),
      );
      const answer = (await asked).get(line.trimEnd()) ?? [];
      // Whether an option that stands there already is offered again is the shell's own business.
      const isNew = (offer: string) => !line.includes(` ${offer} `);
      expect(answer.filter(isNew)).toEqual(offers.filter(isNew).sort());
    });
  });
}

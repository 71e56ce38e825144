/**
 * `rcron --help` and `rcron --version`. The rules come from their table.
 */
import { confDefaults, defaultConfPath } from "../gate/gate.ts";
import { optionOf, type RuleKey, ruleGroups, ruleKeys, ruleOf } from "../model/rule-table.ts";
import { print } from "./standard-output.ts";
import { version } from "./version.ts";

const columns = 80;
/** Where the texts begin; an option that is longer has its text on the next line. */
const indent = 24;

const options: readonly [option: string, help: string][] = [
  ["--conf FILE", `the configuration (default: ${defaultConfPath})`],
  ["--explain", "run nothing; say what would happen here, and why"],
  [
    "--on-passive WHAT",
    "finish or stop: what becomes of the command when this machine is no longer active (default: on_passive of the configuration)",
  ],
  ["--shell", "join the words with blanks for /bin/sh -c, as older versions did"],
  ["--generate", "write default_state to the state file and log it (for boot)"],
  ["--as NAME", "be rcron, rcrond or rcronctl, where links can't be made; must come first"],
  ["--help", "show this text"],
  ["--version", "show the version"],
  ["--", "the command begins here"],
];

function helpText(): string {
  const rules = Object.entries(ruleGroups).map(([group, heading]) => {
    const keys = ruleKeys.filter((key) => ruleOf(key).group === group);
    return `\n${heading}:\n${keys.map((key) => row(...ruleRow(key))).join("")}`;
  });
  return `Usage: rcron [options] [NAME=value ...] command [args]

Runs the command if this machine is the active one of its group, and does
nothing, quietly, if it is passive. Put it in front of a crontab line that
several machines share:

    0 3 * * *  rcron my-job --its-option
    0 4 * * *  rcron --timeout 1h --overlap skip --output if-error:cron backup

The options stand before the command; the first word that is none begins it.

${options.map(([option, help]) => row(option, help)).join("")}${rules.join("")}
A TIME is 90s, 10m, 2h or 1d, or minute, hour, day. The rules may also stand in
the configuration, as keys with _ for -, under [job NAME] for one job and [job]
for all; an option comes before the one, and that before the other. none takes
back what the configuration says.

Several words are run as they are, without a shell. A single word with blanks or
shell characters is given to /bin/sh -c:  rcron 'make-report | gzip > report.gz'

The command finds in its environment RCRON_CLUSTER, RCRON_STATE_EPOCH (grows
with every change of state), RCRON_RUN_ID and RCRON_TICK (the minute it stands
for).

The state is the first word, active or passive, of the state file
(default: ${confDefaults.state_file}); rcronctl state shows it.

Exit status: the job's own, 128+N if signal N ended it, 124 after a timeout; 0,
or that of --skip-exit, where nothing was run: passive, overlap, --if. 127
command not found, 126 command not executable, 125 rcron itself failed.
`;
}

function ruleRow(key: RuleKey): [option: string, help: string] {
  const { value, help } = ruleOf(key);
  return [value === undefined ? optionOf(key) : `${optionOf(key)} ${value}`, help];
}

/** An option and its text, broken between words. */
function row(option: string, help: string): string {
  const lines = [""];
  for (const word of help.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (indent + line.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  const start = `  ${option}`;
  const isLong = start.length + 2 > indent;
  const [first = "", ...rest] = isLong
    ? [start, ...lines]
    : [`${start.padEnd(indent)}${lines[0]}`, ...lines.slice(1)];
  return [first, ...rest.map((line) => " ".repeat(indent) + line)].map((line) => `${line}\n`).join("");
}

/** Prints the help to standard output. */
export async function printHelp(): Promise<void> {
  await print(helpText());
}

/** Prints `rcron VERSION` to standard output. */
export async function printVersion(): Promise<void> {
  await print(`rcron ${version}\n`);
}

/**
 * `rcrond`: the scheduler, and what can be asked of its files without it.
 *
 * Exit statuses: 0; 1 where a check found a problem, or the answer is no; 2 wrong use.
 */
import { readDaemonConf } from "../gate/gate.ts";
import { defaultMailTo, defaultTree, distcrondFolders } from "../jobs/jobs.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { findJobs } from "./find-jobs.ts";
import { print } from "./standard-output.ts";
import { fail, refuse, say } from "./terminal.ts";
import { version } from "./version.ts";

/** distcrond's; they count with one dash as well, as its own parser had it. @see docs/compatibility.md "distcrond" */
const distcronds = ["--jobsDirectory", "--nodesDirectory", "--healthCheckInterval"] as const;
/** Where distcrond stored its reports: the record has its own place. */
const storage = ["--storage", "--esHost", "--esPort", "--logDirectory"] as const;
const valued = [
  ...(["--cron-dir", "--crontab", "--timezone", "--mailto", "--conf"] as const),
  ...distcronds,
  ...storage,
];
const flags = ["--check", "--next", "--json", "--allowNoOwner", "--help", "--version"] as const;
type Valued = (typeof valued)[number];
type Flag = (typeof flags)[number];

const help = `Usage: rcrond [options]
       rcrond --check [options] [DIR]
       rcrond --next [options] [JOB]

The scheduler of rcron: reads job files and crontabs, watches them, and runs
their jobs when they are due. It stays in the foreground; a second one leaves
at once, so that cron may start it every minute. rcronctl asks and steers it.

  --check [DIR]        say what is wrong with the files, and what is hardly
                       meant; run nothing
  --next [JOB]         show when the jobs are due next; with JOB the coming
                       times of that one

  --cron-dir DIR       the tree of job files (default: ${defaultTree})
  --crontab FILE|DIR   a crontab as well, or a folder of them; may be given
                       several times
  --timezone ZONE      for jobs that name none (default: the machine's)
  --mailto ADDRESS     who gets the output of jobs that name nobody (default:
                       ${defaultMailTo})
  --conf FILE          the configuration, whose [job] sections count here too
                       (default: /etc/rcron/rcron.conf)
  --jobsDirectory DIR  distcrond's job files as well
  --nodesDirectory DIR distcrond's node files as well (with --jobsDirectory:
                       ${distcrondFolders.nodes})
  --healthCheckInterval TIME
                       how often a node that is down is asked again
                       (default: health_check_interval of rcron.conf, 10s)
  --allowNoOwner       distcrond's jobs need no owner
                       (--storage, --esHost, --esPort and --logDirectory are
                       taken for its sake, without effect)
  --json               print JSON
  --help               show this text
  --version            show the version

SIGHUP reads everything again. SIGTERM starts nothing more, waits for the runs
that go on and ends them after stop_timeout; a second one ends them at once.

Exit status: 0; 1 where something is wrong, or there is no such job; 2 wrong
use.
`;

/** What the words ask for. */
interface Asked {
  readonly flags: ReadonlySet<Flag>;
  readonly values: Readonly<Partial<Record<Valued, string>>>;
  readonly crontabs: readonly string[];
  readonly words: readonly string[];
}

/** @returns the exit status */
export async function serve(words: readonly string[]): Promise<number> {
  const asked = readWords(words);
  if (asked instanceof Problem) return refuse("rcrond", asked);
  if (asked.flags.has("--help")) {
    await print(help);
    return 0;
  }
  if (asked.flags.has("--version")) {
    await print(`rcrond ${version}\n`);
    return 0;
  }
  const [word, surplus] = asked.words;
  const isCheck = asked.flags.has("--check");
  const isNext = asked.flags.has("--next");
  if (isCheck && isNext) return refuse("rcrond", invalid("--check and --next must not stand together"));
  if (!isCheck && !isNext && (word !== undefined || asked.flags.has("--json"))) {
    const got = word === undefined ? "--json without --check or --next" : quoted(word);
    return refuse("rcrond", invalid(`rcrond takes options only: got ${got}`));
  }
  if (surplus !== undefined)
    return refuse("rcrond", new Problem("invalid", `one word at most: got ${quoted(surplus)} as well`));
  if (isCheck && word !== undefined && asked.values["--cron-dir"] !== undefined) {
    return refuse(
      "rcrond",
      new Problem("invalid", `--cron-dir must not stand beside --check DIR: got ${quoted(word)}`),
    );
  }
  const { "--cron-dir": tree, "--timezone": zoneName, "--mailto": mailTo, "--conf": conf } = asked.values;
  const places = {
    tree: isCheck && word !== undefined ? word : tree,
    crontabs: asked.crontabs,
    distcrond: {
      jobsFolder: asked.values["--jobsDirectory"],
      nodesFolder: asked.values["--nodesDirectory"],
      healthCheckInterval: asked.values["--healthCheckInterval"],
      isOwnerOptional: asked.flags.has("--allowNoOwner"),
    },
    zoneName,
    mailTo,
    conf,
  };
  const source = await findJobs(places);
  if (source instanceof Problem)
    return source.where === undefined ? refuse("rcrond", source) : fail("rcrond", source);
  const uncounted = storage.filter((option) => asked.values[option] !== undefined);
  if (uncounted.length > 0) {
    say("rcrond", `warning: ${uncounted.join(", ")}: rcrond keeps its own record: rcronctl runs shows it`);
  }
  if (!isCheck && !isNext) {
    const status = await (await import("./run-daemon.ts")).runDaemon(places, source);
    return status instanceof Problem ? fail("rcrond", status) : status;
  }
  const daemonConf = isCheck ? await readDaemonConf(source.loaded) : undefined;
  if (daemonConf instanceof Problem) return fail("rcrond", daemonConf);
  const isJson = asked.flags.has("--json");
  const { checkFiles, showNext } = await import("./rcrond-words.ts");
  const status = isCheck ? await checkFiles(source, isJson) : await showNext(source, word, isJson);
  return status instanceof Problem ? fail("rcrond", status) : status;
}

function readWords(words: readonly string[]): Asked | Problem {
  const given = new Set<Flag>();
  const values: Partial<Record<Valued, string>> = {};
  const crontabs: string[] = [];
  const others: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const text = words[at] ?? "";
    if (!text.startsWith("-") || text === "-") {
      others.push(text);
      continue;
    }
    const equals = text.indexOf("=");
    const written = equals < 0 ? text : text.slice(0, equals);
    const name = ofDistcrond(`-${written}`) ? `-${written}` : written;
    const inline = equals < 0 ? undefined : text.slice(equals + 1);
    const flag = flags.find((known) => known === name || (known === "--help" && name === "-h"));
    const option = valued.find((known) => known === name);
    if (flag !== undefined) {
      if (inline !== undefined) return invalid(`${flag} takes no value: got ${quoted(inline)}`);
      given.add(flag);
    } else if (option === undefined) {
      const near = nearestWord(name, [...flags, ...valued]);
      return invalid(`unknown option ${quoted(name)}`, near && `did you mean ${near}?`);
    } else {
      const value = inline ?? words[++at];
      if (value === undefined || value === "")
        return invalid(`${option} must be followed by a value: got none`);
      if (option === "--crontab") crontabs.push(value);
      else if (values[option] !== undefined) return invalid(`${option} must be given once: got it twice`);
      else values[option] = value;
    }
  }
  return { flags: given, values, crontabs, words: others };
}

function ofDistcrond(name: string): boolean {
  return [...distcronds, ...storage, "--allowNoOwner"].some((known) => known === name);
}

function invalid(rule: string, hint = "rcrond --help"): Problem {
  return new Problem("invalid", rule, { hint });
}

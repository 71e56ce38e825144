/**
 * distcrond's job files: one job each, in JSON. Its README and its program differ in `policy` and `schedule`, and both forms are
 * read; so are the keys of its first versions. docs/fleet.md has them all.
 *
 * Pure and total: text in, a job or Problems out, and all Problems of a file at once.
 */
import type { Assignment, Command } from "../model/job.ts";
import { nearestWord } from "../model/nearest-word.ts";
import { isNodeName, nodeNameRule } from "../model/node.ts";
import { isMailAddress } from "../model/output-rule.ts";
import { type Owner, type Placement, policyWords } from "../model/placement.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import {
  proveRules,
  type RuleLayer,
  type RuleText,
  ruleKeys,
  ruleOf,
  shownText,
} from "../model/rule-table.ts";
import type { OutputRule, Rules } from "../model/rules.ts";
import { hasKey, itemsOf, JsonFile, Keys, keysOf, textOf } from "./distcrond-keys.ts";
import { scheduleOf } from "./distcrond-schedule.ts";
import { type FileReading, type JobTerms, sortByLine } from "./file-reading.ts";
import { parseJson } from "./located-json.ts";
import { placedRules } from "./placed-rules.ts";

const known = [
  "description",
  "owners",
  "notifications",
  "policy",
  "schedule",
  "command",
  "shell_command",
  "environment",
];
/** What no other file of distcrond's has. */
const jobsOwn = ["policy", "schedule", "command", "shell_command"];
const misplaced = "node files stand below --nodesDirectory, and not below --jobsDirectory";
const toldKeys = ["webhook", "slack", "mail"];
/** More than fits into a file. */
const longest = 64 * 1024;
const mostOwners = 100;
const controls = /[\x00-\x1f\x7f-\x9f]/;

/**
 * Reads a job file.
 * @param path how messages name it
 * @param name what its job is called
 * @see distcrond README "Defining jobs"; docs/compatibility.md section 4
 */
export function parseDistcrondJob(text: string, path: string, name: string, terms: JobTerms): FileReading {
  const json = parseJson(text, path);
  if (json instanceof Problem) return { jobs: [], problems: [json], warnings: [] };
  const file = new JsonFile(path);
  if (json.kind !== "object") {
    file.refuse(json, "a job file must be an object: { … }");
    return { jobs: [], problems: file.problems, warnings: [] };
  }
  // The folder above both was named: one sentence, and not one for each key.
  if (hasKey(json, ["connection_type"]) && !hasKey(json, jobsOwn)) {
    file.refuse(json, "a job file must be a job's: this is a node's", misplaced);
    return { jobs: [], problems: file.problems, warnings: [] };
  }
  const keys = new Keys(json, "", known, file, elsewhere);
  const description = descriptionOf(keys, file);
  const owners = ownersOf(keys, file, terms);
  const told = notificationsOf(keys, file);
  const placement = placementOf(keys, file);
  const scheduled = keys.get("schedule");
  const schedule = scheduled && scheduleOf(scheduled, file);
  if (scheduled === undefined) file.refuse(json, "a job must say when it is due: there is no schedule");
  const found = commandOf(keys, file);
  const environment = environmentOf(keys, file);
  const layers = [told.layer, terms.sections?.jobs.get(name) ?? [], terms.sections?.defaults ?? []];
  const proven = proveRules(layers);
  if (proven instanceof Problem) file.problems.push(proven);

  const { problems, warnings } = file;
  sortByLine(problems);
  const isWhole = problems.length === 0 && !(proven instanceof Problem);
  if (!isWhole || schedule === undefined || found === undefined || placement === undefined) {
    return { jobs: [], problems, warnings };
  }
  const addresses = [...owners.map(({ address }) => address), ...told.addresses];
  const rules: Rules = { ...proven, name, outputs: outputsOf(proven, layers, addresses, terms) };
  const job = {
    name,
    source: { path, line: found.line },
    command: found.command,
    environment,
    stdin: undefined,
    schedule,
    isCluster: true,
    // Who doesn't care when must not lose a whole day to a restart.
    missed: schedule.kind === "every" && schedule.isSpread ? "latest" : "skip",
    startDeadlineMs: undefined,
    description,
    mailTo: undefined,
    owners,
    ...placedRules(placement, rules, layers),
  } as const;
  return { jobs: [job], problems: [], warnings };
}

function descriptionOf(keys: Keys, file: JsonFile): string | undefined {
  const found = keys.text("description", longest);
  const text = found?.text.replace(/\s+/g, " ").trim();
  if (found !== undefined && text !== undefined && controls.test(text)) {
    return file.refuse(found, `description must be printable text: got ${quoted(text)}`);
  }
  return text || undefined;
}

function ownersOf(keys: Keys, file: JsonFile, { isOwnerOptional }: JobTerms): readonly Owner[] {
  const found = keys.get("owners");
  const items = found === undefined ? [] : itemsOf(found, file);
  if (items === undefined) return [];
  if (items.length > mostOwners) {
    file.refuse(items[0] ?? keys, `owners must be at most ${mostOwners}: got ${items.length}`);
    return [];
  }
  if (items.length === 0 && isOwnerOptional !== true) {
    const hint = "rcrond --allowNoOwner does without";
    file.refuse(found ?? keys, "a job must have an owner at least: there is none in owners", hint);
  }
  return items.flatMap((item) => {
    const owner = keysOf(item, ["name", "email_address"], file);
    if (owner === undefined) return [];
    const name = owner.text("name", 200);
    const address = owner.text("email_address", 1000);
    for (const key of ["name", "email_address"] as const) {
      const value = owner.get(key)?.value;
      const isMissing = value === undefined || (value.kind === "text" && value.text === "");
      if (isMissing) file.refuse(item, `${item.path}.${key} must be given: there is none`);
    }
    if (name !== undefined && controls.test(name.text)) {
      return file.refuse(name, `${name.path} must be printable text: got ${quoted(name.text)}`) ?? [];
    }
    if (address !== undefined && !isMailAddress(address.text)) {
      const rule = `${address.path} must be an address such as mona@example.com`;
      file.refuse(address, `${rule}: got ${quoted(address.text)}`);
    }
    return name === undefined || address === undefined ? [] : [{ name: name.text, address: address.text }];
  });
}

/**
 * `{"webhook": URL, "slack": URL, "mail": [ADDRESS, …]}`: who hears of the job besides its owners. The URLs are the rules of these names,
 * and stand above those of rcron.conf; `none` takes back what that says. They are secret, and shown without what makes them so.
 */
function notificationsOf(
  keys: Keys,
  file: JsonFile,
): { readonly layer: RuleLayer; readonly addresses: readonly string[] } {
  const found = keys.get("notifications");
  const told = found && keysOf(found, toldKeys, file);
  if (told === undefined) return { layer: [], addresses: [] };
  const layer = (["webhook", "slack"] as const).flatMap((key): RuleText[] => {
    const url = told.text(key, longest);
    if (url === undefined) return [];
    const proven = ruleOf(key).prove(url.text);
    if (typeof proven !== "string") return [{ key, text: url.text, where: `${file.path}:${url.line}` }];
    const shown = `"${shownText({ key, text: url.text })}"`;
    return file.refuse(url, `${url.path} ${proven}: got ${shown}`) ?? [];
  });
  const mail = told.texts("mail", 1000) ?? [];
  if (mail.length > mostOwners) {
    const rule = `notifications.mail must be at most ${mostOwners} addresses: got ${mail.length}`;
    file.refuse(mail[0] ?? told, rule);
  }
  for (const address of mail) {
    if (isMailAddress(address.text)) continue;
    const rule = `${address.path} must be an address such as mona@example.com`;
    file.refuse(address, `${rule}: got ${quoted(address.text)}`);
  }
  return { layer, addresses: mail.map(({ text }) => text) };
}

/**
 * Both forms: `{"hosts": "any"|"all", "roles": […]}` of the README, with `"host_list": […]` in its first program, and
 * `{"select": "any"|"all", "hosts": […], "roles": […]}` of its last one.
 */
function placementOf(keys: Keys, file: JsonFile): Placement | undefined {
  const found = keys.get("policy");
  if (found === undefined) return file.refuse(keys, "a job must say where it runs: there is no policy");
  const policy = keysOf(found, ["select", "hosts", "roles", "host_list"], file);
  if (policy === undefined) return undefined;
  const isReadme = policy.get("hosts")?.value.kind === "text";
  const select = policy.text(isReadme ? "hosts" : "select", 100);
  const surplus = policy.get(isReadme ? "select" : "host_list");
  if (surplus !== undefined) {
    const rule = isReadme
      ? "must not stand beside policy.hosts, which says it already"
      : "must be policy.hosts beside policy.select";
    return file.refuse(surplus, `${surplus.path} ${rule}`);
  }
  if (select === undefined) {
    return policy.get("select") === undefined
      ? file.refuse(found, `policy.select must be given, one of ${policyWords.join(", ")}: there is none`)
      : undefined;
  }
  const word = policyWords.find((each) => each === select.text);
  if (word === undefined) {
    const near = nearestWord(select.text, policyWords);
    const rule = `${select.path} must be one of ${policyWords.join(", ")}: got ${quoted(select.text)}`;
    return file.refuse(select, rule, near && `did you mean ${near}?`);
  }
  const hosts = namesOf(policy, isReadme ? "host_list" : "hosts", file);
  const roles = namesOf(policy, "roles", file);
  if (hosts === undefined || roles === undefined) return undefined;
  if (hosts.length + roles.length === 0) {
    return file.refuse(found, "policy must name a host or a role at least: there is none");
  }
  if (hosts.length > 0 && roles.length > 0) {
    const rule = "policy.roles counts for nothing beside hosts, as in distcrond";
    file.warn(policy.get("roles") ?? found, rule, "remove one of the two");
  }
  return { policy: word, hosts, names: [], roles: hosts.length > 0 ? [] : roles, earlierRuns: "node" };
}

/** @returns undefined where one of them is no name, which is told */
function namesOf(policy: Keys, key: string, file: JsonFile): readonly string[] | undefined {
  if (policy.get(key) === undefined) return [];
  const texts = policy.texts(key, 1000);
  const odd = texts?.find(({ text }) => !isNodeName(text));
  if (odd !== undefined) return file.refuse(odd, `${odd.path} ${nodeNameRule}: got ${quoted(odd.text)}`);
  return texts && [...new Set(texts.map(({ text }) => text))];
}

function commandOf(
  keys: Keys,
  file: JsonFile,
): { readonly command: Command; readonly line: number } | undefined {
  const list = keys.get("command");
  const isEmpty = list?.value.kind === "list" && list.value.items.length === 0;
  const line = keys.text("shell_command", longest);
  if (list !== undefined && !isEmpty && line !== undefined) {
    return file.refuse(line, `shell_command must not stand beside command, which is on line ${list.line}`);
  }
  if (line !== undefined) {
    if (line.text.trim() === "")
      return file.refuse(line, `shell_command must be a command: got ${quoted(line.text)}`);
    return { command: { kind: "shell", line: line.text }, line: line.line };
  }
  if (list === undefined || isEmpty) {
    // What is there and no text is told already.
    const isTold = (keys.get("shell_command")?.value.kind ?? "text") !== "text";
    return isTold
      ? undefined
      : file.refuse(keys, "a job must say what to run: there is no command and no shell_command");
  }
  if (list.value.kind === "text") {
    const rule = `command must be a list of words: got ${quoted(list.value.text)}`;
    return file.refuse(list, rule, "a line for the shell is shell_command");
  }
  const [program, ...args] = (keys.texts("command", longest) ?? []).map(({ text }) => text);
  if (program === undefined) return undefined;
  if (program === "") return file.refuse(list, 'command[0] must be a program: got ""');
  return { command: { kind: "words", words: [program, ...args] }, line: list.line };
}

/** The values may be secret, and are not shown. */
function environmentOf(keys: Keys, file: JsonFile): Assignment[] {
  const found = keys.get("environment");
  if (found === undefined) return [];
  if (found.value.kind !== "object") {
    return file.refuse(found, 'environment must be an object such as {"NAME": "value"}') ?? [];
  }
  const seen = new Set<string>();
  return found.value.entries.flatMap(({ key, line, value }) => {
    if (!/^[A-Za-z_]\w*$/.test(key)) {
      const rule = "a key of environment must be letters, digits and _, and begin with no digit";
      return file.refuse({ line }, `${rule}: got ${quoted(key, 40)}`) ?? [];
    }
    if (seen.has(key)) return file.refuse({ line }, `environment.${key} must stand once`) ?? [];
    seen.add(key);
    if (value.kind !== "text")
      return file.refuse({ line }, `environment.${key} must be text, in quotes`) ?? [];
    const text = textOf({ path: `environment.${key}`, line, value }, longest, file);
    return text === undefined ? [] : [{ name: key, value: text }];
  });
}

/**
 * Owners, and who is named beside them, hear of failures, and of the run that ends them. Where nobody is named, whoever gets mail by
 * default does.
 */
function outputsOf(
  { outputs }: Rules,
  layers: readonly RuleLayer[],
  named: readonly string[],
  { mailTo }: JobTerms,
): readonly OutputRule[] {
  const isSaid = layers.some((layer) => layer.some(({ key }) => key === "output"));
  const addresses = new Set(named.length === 0 && !isSaid ? [mailTo] : named);
  const isNamed = (address: string) =>
    outputs.some(({ sink }) => sink.kind === "mail" && sink.address === address);
  const toNamed = [...addresses]
    .filter((address) => !isNamed(address))
    .map((address) => ({ isIfError: true, sink: { kind: "mail", address } }) as const);
  return [...outputs, ...toNamed];
}

/** The rules of jobs have another place. */
function elsewhere(bareKey: string): string | undefined {
  if (toldKeys.includes(bareKey)) return `${bareKey} stands in notifications`;
  const rule = ruleKeys.find((key) => key.replaceAll("_", "") === bareKey);
  return rule === undefined ? undefined : `${rule} stands below [job NAME] in rcron.conf`;
}

/**
 * What those who write the state need of rcron.conf. A word must be written even when the configuration is broken: a
 * stopped keepalived would leave "active" behind, and it would count again as soon as the configuration is mended.
 */
import { type Conf, defaultConfPath, loadConf, parseConf } from "../gate/gate.ts";
import { Problem } from "../model/problem.ts";
import { readFileStart } from "../system/files.ts";
import type { Given } from "./control-word.ts";

/** As far as rcron.conf could be understood. */
export interface WritersConf {
  /** Undefined where it is broken. */
  readonly conf: Conf | undefined;
  /** Undefined where not even that could be read. */
  readonly stateFile: string | undefined;
  /** Why, where it is broken. */
  readonly problem: Problem | undefined;
}

const sizeLimit = 64 * 1024;

/** Reads the configuration that `--conf` names, or the default one. */
export function readWritersConf({ conf: named }: Given["options"]): WritersConf {
  const path = typeof named === "string" ? named : undefined;
  const loaded = loadConf(path);
  if (!(loaded instanceof Problem)) {
    return { conf: loaded.conf, stateFile: loaded.conf.stateFile, problem: undefined };
  }
  return { conf: undefined, stateFile: salvageStateFile(path ?? defaultConfPath), problem: loaded };
}

/** The state file of a configuration of which another line is wrong. */
function salvageStateFile(path: string): string | undefined {
  const file = readFileStart(path, sizeLimit);
  if (file.error !== undefined || !file.isWhole) return undefined;
  const lines = new TextDecoder().decode(file.bytes).split("\n");
  const own = lines.filter((line) => /^\s*state_file[\s=:]/i.test(line));
  // Whoever names a configuration means its own file: the default one is written for the default configuration alone.
  if (own.length === 0 && path !== defaultConfPath) return undefined;
  const parsed = parseConf(own.join("\n"), path);
  return parsed instanceof Problem ? undefined : parsed.conf.stateFile;
}

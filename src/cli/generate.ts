/**
 * `rcron --generate`: seeds the state file at boot, before cron and keepalived start.
 */
import type { Conf } from "../gate/gate.ts";
import { generateLine } from "../model/log-line.ts";
import { Problem } from "../model/problem.ts";
import { writeFileAtomically } from "../system/files.ts";
import type { Syslog } from "../system/syslog.ts";

/**
 * Writes `default_state` to `state_file`, and a line to the log.
 * @returns the Problem, and then the old state file stands
 */
export async function generate(conf: Conf, log: Syslog): Promise<Problem | undefined> {
  try {
    await writeFileAtomically(conf.stateFile, `${conf.defaultState}\n`, 0o644);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  log.log(
    conf.syslogFacility,
    conf.syslogLevel,
    generateLine(conf.clusterName, conf.defaultState, conf.stateFile),
  );
  return undefined;
}

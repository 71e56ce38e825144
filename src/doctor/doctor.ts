/**
 * WHAT would go wrong? Looks at this machine, its configuration and its neighbours, changes nothing, and says each
 * thing that would make jobs run twice, or nowhere, on a bad day.
 *
 * The checks ask a {@link Machine} and say what they see to an {@link Examination}. They are conservative: what can't be
 * known is told as not looked at, and no finding is a guess.
 */

import type { Problem } from "../model/problem.ts";
import { checkConf, checkDefaults, checkWitnesses, type Surroundings } from "./check-conf.ts";
import { checkCrontabs } from "./check-crontabs.ts";
import { checkDaemons, checkKeepalivedRuns, checkNames } from "./check-daemons.ts";
import { checkElection } from "./check-election.ts";
import { checkScripts } from "./check-scripts.ts";
import { checkState } from "./check-state.ts";
import { checkWriters } from "./check-writers.ts";
import { findElectors } from "./electors.ts";
import { Examination, type Report } from "./finding.ts";
import { readElection } from "./keepalived-election.ts";
import { findKeepalived, type Keepalived } from "./keepalived-files.ts";
import { isRefusal, type Machine } from "./machine.ts";
import { knownPath } from "./path-safety.ts";
import { type StateWriter, writersOf } from "./state-writers.ts";

export { type Finding, isHealthy, type Remark, type Report, type Severity } from "./finding.ts";
export type { Machine } from "./machine.ts";
export { renderReport, renderReportJson } from "./report.ts";
export { thisMachine } from "./this-machine.ts";

export interface ExamineOptions {
  /** The path given with `--conf`; undefined for the default one. */
  readonly conf: string | undefined;
  /** What is wrong with the section that is rcrond's. */
  readonly daemonProblem?: Problem | undefined;
}

/** Examines a machine. Never throws for what it finds there. */
export function examine(machine: Machine, { conf: named, daemonProblem }: ExamineOptions): Report {
  const exam = new Examination();
  if (machine.uid !== 0) {
    exam.unseen("root", "whatever only root may see: run it as root for the whole picture");
  }
  const examined = checkConf(machine, exam, named, daemonProblem);
  const keepalived = findKeepalived(machine);
  const election = isRefusal(keepalived.conf) ? undefined : readElection(keepalived.conf);
  const electors = findElectors(machine, keepalived, election);
  const stateFile = examined?.conf.stateFile ?? "/var/run/rcron.state";
  const isRenewedByCron = checkCrontabs(machine, exam, stateFile);
  checkKeepalivedRuns(machine, exam, keepalived, election);
  const writers = checkKeepalived(machine, exam, keepalived, { election, electors, stateFile });
  if (examined !== undefined) {
    const known = knownPath(machine, stateFile);
    const own = writers.filter((writer) => writer.stateFile === undefined || writer.stateFile === known);
    const surroundings: Surroundings = { electors, election, writers: own, isRenewedByCron };
    checkDefaults(exam, examined, surroundings);
    checkWitnesses(machine, exam, examined, surroundings);
    checkState(machine, exam, examined.conf, electors);
  }
  checkDaemons(machine, exam);
  checkNames(machine, exam);
  return exam.report();
}

/** @returns what keepalived's scripts write */
function checkKeepalived(
  machine: Machine,
  exam: Examination,
  { conf, stateFileOfScripts, programOfScripts }: Keepalived,
  { election, electors, stateFile }: Pick<Surroundings, "election" | "electors"> & { stateFile: string },
): readonly StateWriter[] {
  if (isRefusal(conf) || election === undefined) return [];
  const { instances, groups, fifos } = election;
  const calls = [
    ...[...instances, ...groups].flatMap((unit) => unit.calls),
    ...fifos.flatMap(({ call }) => call ?? []),
  ];
  const files = { examined: stateFile, ofEnvironment: stateFileOfScripts, program: programOfScripts };
  const writers = calls.flatMap((call) => writersOf(machine, call, files));
  checkElection(machine, exam, conf, election);
  checkScripts(machine, exam, election, writers);
  checkWriters(exam, election, writers, {
    isWhole: conf.notFollowed.length === 0,
    stateFile: knownPath(machine, stateFile),
    hasOtherElector: electors.some(({ name }) => name !== "keepalived"),
  });
  return writers;
}

/**
 * HOW and WHERE a job runs. So far: on this machine, as the prefix runs it.
 */
import type { Found } from "./find-program.ts";

export type { UserTerms } from "./as-user.ts";
export {
  type LocalRun,
  prepareLocal,
  type StartOptions,
  type StopRequest,
  type Streams,
} from "./local.ts";
export type { HolderFacts, RunEnd, Supervised, SupervisedJob, SupervisionPorts } from "./supervise.ts";

/** The supervision of runs, loaded only where a job has rules: a plain one shall not pay for it. */
export async function loadSupervision() {
  return import("./supervision.ts");
}

/** {@link Found}, loaded only where somebody asks: running a job needs no search of our own. */
export async function findProgram(program: string, searchPath: string | undefined): Promise<Found> {
  const search = await import("./find-program.ts");
  return search.findProgram(program, searchPath);
}

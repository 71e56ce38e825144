/**
 * HOW and WHERE a job runs. So far: on this machine, as the prefix runs it.
 */
import type { Found } from "./find-program.ts";

export { type LocalRun, prepareLocal, type StopRequest } from "./local.ts";

/** {@link Found}, loaded only where somebody asks: running a job needs no search of our own. */
export async function findProgram(program: string, searchPath: string | undefined): Promise<Found> {
  const search = await import("./find-program.ts");
  return search.findProgram(program, searchPath);
}

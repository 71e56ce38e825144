/**
 * All that a job with rules needs, in one piece: each piece that is loaded by itself costs more than what is in it.
 */
export { asUser } from "./as-user.ts";
export { superviseRun } from "./supervise.ts";

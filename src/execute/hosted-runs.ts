/**
 * All that a process of many runs needs, in one piece.
 */
export { adoptRun } from "./adopt.ts";
export { asUser } from "./as-user.ts";
export { Hosting } from "./hosting.ts";
export { findRun, isThere, parseMark } from "./run-mark.ts";
export { superviseHosted } from "./supervise.ts";

/**
 * WHO is active? Takes the word of whoever elects – keepalived's scripts and its FIFO, another cluster manager, a person
 * – to the state file, from which the gate reads it.
 */
export { type FollowOptions, type FollowTarget, follow } from "./follow-keepalived.ts";
export { type KeepalivedEvent, parseKeepalivedEvent } from "./keepalived-event.ts";
export {
  type CurrentState,
  orderNow,
  readCurrent,
  type StateChange,
  type Written,
  writeState,
} from "./write-state.ts";

/**
 * All that runs on other machines need, in one piece.
 */
export { CommandHosting, checkCommandNode } from "./command-hosting.ts";
export { NodeConnection } from "./ssh/node-connection.ts";
export { RemoteHosting } from "./ssh/remote-hosting.ts";
export { parseRemoteMark } from "./ssh/remote-mark.ts";

/** A process that records a run: `bun append-some.ts FOLDER N`. */
import { appendEvent } from "../../src/history/history.ts";
import { end, start } from "./events.ts";

const [folder = "", number = ""] = process.argv.slice(2);
const error =
  appendEvent(folder, start(`run-${number}`, { text: "x".repeat(300) })) ??
  appendEvent(folder, end(`run-${number}`));
if (error !== undefined) {
  console.error(error.code);
  process.exit(1);
}

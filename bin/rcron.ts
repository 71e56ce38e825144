/**
 * The entry of all three faces: `rcron`, `rcrond` and `rcronctl` are one file under three names.
 *
 * The only place that reads argv and ends the process. It awaits nothing at the top level: a top-level await that
 * never settles would spin (docs/decisions/runtime.md).
 */
import { complain, ownFailure, say } from "../src/cli/terminal.ts";
import { wrap } from "../src/cli/wrap.ts";
import { Problem } from "../src/model/problem.ts";

/** The runtime's argv tells nothing about the name; argv0 is what the caller wrote. */
const calledAs = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);
const words = process.argv.slice(2);

const isNamed = words[0] === "--as" && ["rcron", "rcrond", "rcronctl"].includes(words[1] ?? "");
/** The face is that of the name, or of `--as NAME` where no link can be made; any other name is the prefix's. */
const face = isNamed ? words[1] : calledAs;

function main(): number | Promise<number> {
  const own = isNamed ? words.slice(2) : words;
  if (face === "rcrond") return import("../src/cli/serve.ts").then(({ serve }) => serve(own));
  if (face === "rcronctl") return import("../src/cli/control.ts").then(({ control }) => control(own));
  return wrap(isNamed ? "rcron" : calledAs || "rcron", own);
}

function fail(error: unknown): never {
  const program = face || "rcron";
  if (error instanceof Problem) complain(program, error);
  // The stack alone: printed as an object, an error brings a screenful of the program with it.
  else say(program, `internal error: ${error instanceof Error ? error.stack : error}`);
  process.exit(face === "rcrond" || face === "rcronctl" ? 1 : ownFailure);
}

try {
  const status = main();
  // A passive machine has its status at once; waiting for it would cost more than finding it.
  if (typeof status === "number") process.exit(status);
  status.then((later) => process.exit(later), fail);
} catch (error) {
  fail(error);
}

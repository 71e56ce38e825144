/**
 * Files of `NAME=value` lines, as `--env-file` names them.
 */
import type { Assignment } from "./job.ts";
import { Problem } from "./problem.ts";

const nameRule = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Reads the text of an environment file: `NAME=value`, with an optional `export` before it; a value in `"…"` or `'…'` is
 * what is between the quotes; nothing is expanded. Empty lines and lines that begin with `#` are passed over.
 * @param path how messages name the file
 * @returns the Problem `invalid` for any other line; it never shows a value, which may be secret
 */
export function parseEnvironmentFile(text: string, path: string): Assignment[] | Problem {
  const assignments: Assignment[] = [];
  const lines = (text.startsWith("\ufeff") ? text.slice(1) : text).split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const where = `${path}:${index + 1}`;
    const body = line.startsWith("export ") ? line.slice("export ".length).trimStart() : line;
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals).trimEnd();
    if (equals < 0 || !nameRule.test(name)) {
      // Not the name itself: the line may be one of a secret of several lines, such as a key.
      const shown =
        equals < 0
          ? "a line without ="
          : "a name that is not made of letters, digits and _, or begins with a digit";
      return new Problem("invalid", `a line must be NAME=value, a comment or empty: got ${shown}`, { where });
    }
    const value = unquoted(body.slice(equals + 1).trimStart());
    if (value === undefined) return new Problem("invalid", `the quotes of ${name} must match`, { where });
    if (value.includes("\0")) return new Problem("invalid", `${name} must hold no NUL`, { where });
    assignments.push({ name, value });
  }
  return assignments;
}

function unquoted(value: string): string | undefined {
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return value;
  return value.length >= 2 && value.indexOf(quote, 1) === value.length - 1 ? value.slice(1, -1) : undefined;
}

/**
 * The words for output of acron's older sample file: `stdout FILE|ADDRESS|stderr`, `stderr FILE|ADDRESS|stdout`,
 * `send-stdout if-stderr|always|never`. They become rules of today; what these can't say is a warning.
 */
import { nearestWord } from "../model/nearest-word.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import type { RuleLayer, RuleText } from "../model/rule-table.ts";
import type { Statement } from "./acron-lines.ts";

/** What the older words come to. */
export interface OlderOutputs {
  readonly layer: RuleLayer;
  /** `send-stdout never`: the command's standard output leads nowhere. */
  readonly isStdoutDropped: boolean;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

const whens = ["if-stderr", "always", "never"];

/**
 * Translates. Each of the two streams may go to the other's receiver, and then both go there.
 * @param place the file's path, and who gets mail where nobody is named
 */
export function olderOutputs(
  said: {
    readonly stdout: Statement | undefined;
    readonly stderr: Statement | undefined;
    readonly sendStdout: Statement | undefined;
  },
  { path, mailTo }: { readonly path: string; readonly mailTo: string },
): OlderOutputs {
  const { stdout, stderr, sendStdout } = said;
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const whereOf = ({ line }: Statement) => `${path}:${line}`;
  if (stdout?.text === "stderr" && stderr?.text === "stdout") {
    const rule = "stdout and stderr must not each go where the other goes";
    problems.push(new Problem("invalid", rule, { where: whereOf(stderr) }));
  }
  const when = sendStdout?.text ?? "always";
  if (sendStdout !== undefined && !whens.includes(when)) {
    const near = nearestWord(when, whens);
    const rule = `send-stdout must be ${whens.join(" or ")}: got ${quoted(when)}`;
    problems.push(
      new Problem("invalid", rule, {
        where: whereOf(sendStdout),
        ...(near !== undefined && { hint: `did you mean ${near}?` }),
      }),
    );
  }
  const before = when === "if-stderr" ? "if-error:" : "";
  const layer: RuleText[] = [];
  const receivers = [stdout, stderr].filter(
    (each) => each !== undefined && !/^std(out|err)$/.test(each.text),
  );
  for (const each of receivers) {
    if (each === undefined || layer.some(({ text }) => text === before + each.text)) continue;
    layer.push({ key: "output", text: before + each.text, where: whereOf(each) });
  }
  if (stdout !== undefined && stderr !== undefined && layer.length > 1) {
    const rule = "stdout and stderr go to both receivers: a job's output is one stream here";
    const hint = "name both in output lines, or redirect one of them in run";
    warnings.push(new Problem("invalid", rule, { where: whereOf(stderr), hint }));
  }
  if (when === "if-stderr" && sendStdout !== undefined) {
    const where = whereOf(sendStdout);
    layer.push({ key: "error", text: "if-stderr,if-nonzero", where });
    // Nobody is named: the mail that would be sent by default is sent on errors only, too.
    if (receivers.length === 0) layer.push({ key: "output", text: `if-error:${mailTo}`, where });
  }
  return { layer, isStdoutDropped: when === "never", problems, warnings };
}

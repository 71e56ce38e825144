/**
 * The one application error.
 *
 * A Problem is what a person is told: the rule that was broken, the value that broke it, where it stands and
 * one thing to do. Parsers return it as a value; other code throws it only for what its caller can't plan for.
 */
import { printableText } from "./printable.ts";

/** What kind of trouble it is; each face turns it into its own exit status or HTTP status. */
export type ProblemCode = "invalid" | "not-found" | "conflict" | "unreachable" | "denied" | "internal";

/** What a Problem says besides its rule. */
export interface ProblemDetails {
  /** `file:line`, or the file alone where no line can be named. */
  readonly where?: string;
  /** One thing that the operator can do now. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** What a person is told when something can't be done. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  /**
   * In the message, the place is on one line, whatever the file is called.
   *
   * @param code the kind of trouble
   * @param rule lower case, the rule and then the value: `nice_level must be …: got "high"`
   */
  constructor(code: ProblemCode, rule: string, { where, hint, cause }: ProblemDetails = {}) {
    const message = where === undefined ? rule : `${printableText(where)}: ${rule}`;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.where = where;
    this.hint = hint;
  }
}

/**
 * What an examination says: what would go wrong, what was looked at and is fine, and what could not be looked at.
 */

import { printableText } from "../model/printable.ts";

const textLimit = 500;

/** `error`: jobs run twice, never, or by somebody else's will. `warning`: they will on a bad day. `note`: good to know. */
export type Severity = "error" | "warning" | "note";

/** Something that would go wrong on this machine. */
export interface Finding {
  readonly severity: Severity;
  /** A short code for scripts: `keepalived-script-mode`. */
  readonly check: string;
  /** `file:line`, or a path, or what else there is to be named. */
  readonly where: string;
  /** Lower case, the rule and then the value. */
  readonly what: string;
  /** One thing to do. */
  readonly advice: string;
}

/** Something that was looked at, or could not be, in one sentence. */
export interface Remark {
  readonly check: string;
  readonly what: string;
}

/** All that was found out about a machine. */
export interface Report {
  /** Errors first, then warnings, then notes; among equals, in the order in which they were found. */
  readonly findings: readonly Finding[];
  readonly fine: readonly Remark[];
  /** What could not be looked at, and why. */
  readonly unseen: readonly Remark[];
}

const severities: readonly Severity[] = ["error", "warning", "note"];

/** True if nothing but notes was found: what `rcronctl doctor` exits 0 for. */
export function isHealthy(report: Report): boolean {
  return report.findings.every(({ severity }) => severity === "note");
}

/** Collects what the checks say, while they say it. */
export class Examination {
  readonly #findings: Finding[] = [];
  readonly #known = new Set<string>();
  readonly #fine: Remark[] = [];
  readonly #unseen: Remark[] = [];

  error(check: string, where: string, what: string, advice: string): void {
    this.#find({ severity: "error", check, where, what, advice });
  }

  warning(check: string, where: string, what: string, advice: string): void {
    this.#find({ severity: "warning", check, where, what, advice });
  }

  note(check: string, where: string, what: string, advice: string): void {
    this.#find({ severity: "note", check, where, what, advice });
  }

  fine(check: string, what: string): void {
    this.#fine.push({ check, what: presentable(what) });
  }

  unseen(check: string, what: string): void {
    this.#unseen.push({ check, what: presentable(what) });
  }

  /** How many errors and warnings there are so far: a check that added none may say that all is well. */
  get troubles(): number {
    return this.#findings.filter(({ severity }) => severity !== "note").length;
  }

  /** Two ways to the same finding are one finding. */
  #find({ severity, check, where, what, advice }: Finding): void {
    const finding = {
      severity,
      check,
      where: presentable(where),
      what: presentable(what),
      advice: presentable(advice),
    };
    const key = [check, finding.where, finding.what].join("\0");
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#findings.push(finding);
  }

  report(): Report {
    const findings = severities.flatMap((wanted) =>
      this.#findings.filter(({ severity }) => severity === wanted),
    );
    return { findings, fine: this.#fine, unseen: this.#unseen };
  }
}

/** What stands in a machine's files may be anything, and shall neither steer a terminal nor flood it. */
function presentable(text: string): string {
  const short = text.length > textLimit ? `${text.slice(0, textLimit)}…` : text;
  return printableText(short);
}

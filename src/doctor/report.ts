/**
 * The report, for people and for programs. Pure.
 */
import type { Report, Severity } from "./finding.ts";
import { isHealthy } from "./finding.ts";

/**
 * The report for people: the findings as a compiler prints its own, `where: severity: what`, each with its advice
 * below; then what could not be looked at, what is fine, and a line that counts.
 */
export function renderReport({ findings, fine, unseen }: Report): string {
  const lines = [
    ...findings.flatMap(({ severity, where, what, advice }) => [
      `${where}: ${severity}: ${what}`,
      `    ${advice}`,
    ]),
    ...unseen.map(({ what }) => `not looked at: ${what}`),
    ...fine.map(({ what }) => `fine: ${what}`),
  ];
  const count = (wanted: Severity) => findings.filter(({ severity }) => severity === wanted).length;
  const found = [
    counted(count("error"), "error"),
    counted(count("warning"), "warning"),
    counted(count("note"), "note"),
  ].join(", ");
  return `${[...lines, `${found}; ${fine.length} fine, ${unseen.length} not looked at`].join("\n")}\n`;
}

/** The report for programs: one JSON object. */
export function renderReportJson(report: Report): string {
  const { findings, fine, unseen } = report;
  return `${JSON.stringify({ healthy: isHealthy(report), findings, fine, unseen }, undefined, 2)}\n`;
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

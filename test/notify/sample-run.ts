/**
 * Runs to tell of.
 */

import type { OutputRule } from "../../src/model/rules.ts";
import type { EndEvent } from "../../src/model/run-event.ts";
import type { KeptOutput, NotifySettings, RunReport } from "../../src/notify/notify.ts";

export const endedAtMs = Date.UTC(2026, 10, 21, 2, 0, 16);

/** The whole of what a job printed. */
export function printed(text: string | Uint8Array): KeptOutput {
  const head = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return { head, tail: new Uint8Array(), bytes: head.length, leftOut: 0 };
}

/** `if-error:ADDRESS` or `ADDRESS`. */
export function mailTo(...rules: string[]): OutputRule[] {
  return rules.map((rule) => ({
    isIfError: rule.startsWith("if-error:"),
    sink: { kind: "mail", address: rule.replace("if-error:", "") },
  }));
}

export interface SampleOptions {
  readonly end?: Partial<EndEvent>;
  readonly report?: Partial<Omit<RunReport, "end" | "rules">>;
  readonly rules?: Partial<RunReport["rules"]>;
}

/** A run of `backup` that failed with status 3 after 12 s. */
export function sampleRun({ end, report, rules }: SampleOptions = {}): RunReport {
  return {
    job: "backup",
    cluster: "www",
    host: "host1",
    user: "root",
    run: "0123456789abcdef",
    commandText: "/usr/local/bin/backup --all",
    tickMs: endedAtMs - 16_000,
    startedAtMs: endedAtMs - 12_000,
    output: printed("copying\ndisk full\n"),
    environment: [
      ["SHELL", "/bin/sh"],
      ["PATH", "/usr/bin:/bin"],
      ["DB_PASSWORD", "hunter2"],
    ],
    ...report,
    end: {
      kind: "end",
      run: "0123456789abcdef",
      at: endedAtMs,
      ms: 12_000,
      ok: false,
      cause: "exit",
      exit: 3,
      ...end,
    },
    rules: {
      outputs: [],
      pingUrl: undefined,
      webhookUrl: undefined,
      webhookWhen: "change",
      slackUrl: undefined,
      mailEveryMs: undefined,
      ...rules,
    },
  };
}

/** A run that succeeded. */
export function goodRun({ end, ...rest }: SampleOptions = {}): RunReport {
  return sampleRun({ ...rest, end: { ok: true, exit: 0, ...end } });
}

export function settingsFor(folder: string | undefined, more: Partial<NotifySettings> = {}): NotifySettings {
  return {
    folder,
    mailThrough: "sendmail",
    mailFrom: undefined,
    mailPasswordFile: undefined,
    webhookSecretFile: undefined,
    redact: (text) => text,
    ...more,
  };
}

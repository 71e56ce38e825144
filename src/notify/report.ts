/**
 * What notify is told of a run's end, and with which settings it tells others.
 */
import type { Owner } from "../model/placement.ts";
import type { Rules } from "../model/rules.ts";
import type { EndEvent } from "../model/run-event.ts";

/** A run that has ended. */
export interface RunReport {
  readonly job: string;
  readonly cluster: string;
  readonly host: string;
  /** Whose rights the job had; of a run on nodes, those of the program that has sent it. */
  readonly user: string;
  /** The run's id, 16 hexadecimal digits. */
  readonly run: string;
  /** The command, as it may be shown. */
  readonly commandText: string;
  /** When it was due, and when it began, in milliseconds since 1970. */
  readonly tickMs: number;
  readonly startedAtMs: number;
  readonly end: EndEvent;
  /** Undefined where nothing was kept of it. */
  readonly output: KeptOutput | undefined;
  /** The job's environment; only what cron's mail tells too is taken from it. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Who answers for the job, for webhooks; owners are mailed by the rules' `outputs`. Missing: nobody is named. */
  readonly owners?: readonly Owner[] | undefined;
  readonly rules: Pick<
    Rules,
    "outputs" | "pingUrl" | "mailEveryMs" | "webhookUrl" | "webhookWhen" | "slackUrl"
  >;
}

/** What is kept of a job's output. */
export interface KeptOutput {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** All that it printed. */
  readonly bytes: number;
  /** Of these, what stood between head and tail and was not kept. */
  readonly leftOut: number;
}

/** How others are told. */
export interface NotifySettings {
  /** The history folder, whose `outbox` and `streaks` are used; undefined: nothing is kept from run to run. */
  readonly folder: string | undefined;
  /** `sendmail`, the absolute path of a program like it, or an URL: `smtp://…`, `smtps://…`. */
  readonly mailThrough: string;
  /** `NAME <ADDRESS>` or `ADDRESS`; undefined: the user's, on this host. */
  readonly mailFrom: string | undefined;
  readonly mailPasswordFile: string | undefined;
  /** What webhooks are signed with; undefined: they are not. */
  readonly webhookSecretFile: string | undefined;
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
  /** The configuration that the sender shall read; undefined: the default one. */
  readonly confPath?: string | undefined;
}

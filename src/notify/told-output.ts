/**
 * What of a job's output is told: without secrets, short enough, and fit for a person's screen. Pure.
 */
import type { KeptOutput } from "./report.ts";
import { firstBytes, lastBytes, shownText } from "./shown-text.ts";

/** What is left of it. */
export interface ToldOutput {
  readonly head: string;
  /** Empty where `head` is all. */
  readonly tail: string;
  /** The bytes between the two that are not told. */
  readonly leftOut: number;
}

/**
 * Head and tail of an output. What lies together is redacted together.
 * @param limit bytes in all; a third of it is the beginning
 */
export function toldOutput(output: KeptOutput, redact: (text: string) => string, limit: number): ToldOutput {
  if (output.leftOut === 0) {
    const whole = redact(shownText(Buffer.concat([output.head, output.tail])));
    const size = Buffer.byteLength(whole);
    if (size <= limit) return { head: whole, tail: "", leftOut: 0 };
    const head = firstBytes(whole, Math.floor(limit / 3));
    const tail = lastBytes(whole, limit - Math.floor(limit / 3));
    return { head, tail, leftOut: size - Buffer.byteLength(head) - Buffer.byteLength(tail) };
  }
  const head = redact(shownText(output.head));
  const tail = redact(shownText(output.tail));
  const shortHead = firstBytes(head, Math.floor(limit / 3));
  const shortTail = lastBytes(tail, limit - Math.floor(limit / 3));
  const cut = (all: string, short: string) => Buffer.byteLength(all) - Buffer.byteLength(short);
  return {
    head: shortHead,
    tail: shortTail,
    leftOut: output.leftOut + cut(head, shortHead) + cut(tail, shortTail),
  };
}

/**
 * The end of a job's output.
 * @param limit bytes
 * @returns empty where nothing was kept
 */
export function tailOf(
  output: KeptOutput | undefined,
  redact: (text: string) => string,
  limit: number,
): string {
  if (output === undefined) return "";
  const bytes = output.leftOut === 0 ? Buffer.concat([output.head, output.tail]) : output.tail;
  return lastBytes(redact(shownText(bytes)), limit);
}

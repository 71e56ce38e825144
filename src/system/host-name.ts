/**
 * This machine's name.
 */
import { readFileStart } from "./files.ts";

/** As gethostname(2) has it; empty where /proc does not tell. */
export function readHostName(): string {
  const file = readFileStart("/proc/sys/kernel/hostname", 256);
  return file.error === undefined ? new TextDecoder().decode(file.bytes).trimEnd() : "";
}

/**
 * How many files this process and what it starts may have open.
 */
import { hostingLibc } from "./libc.ts";

const RLIMIT_NOFILE = 7;

/** The limit of open files, soft and hard. */
export interface OpenFilesLimit {
  readonly soft: number;
  readonly hard: number;
}

/** @param pid 0: this process. @returns undefined where the system does not tell */
export function openFilesLimit(pid = 0): OpenFilesLimit | undefined {
  const limit = new BigUint64Array(2);
  if (hostingLibc()?.prlimit64(pid, RLIMIT_NOFILE, null, limit) !== 0) return undefined;
  const [soft = 0n, hard = 0n] = limit;
  return { soft: Number(soft), hard: Number(hard) }; // "unlimited" is 2^64, which a number can tell well enough
}

/**
 * Sets the soft limit; the hard one stays.
 * @param pid 0: this process
 * @returns false where the system refuses
 */
export function setOpenFilesLimit(pid: number, { soft, hard }: OpenFilesLimit): boolean {
  const limit = BigUint64Array.of(asWord(soft), asWord(hard));
  return hostingLibc()?.prlimit64(pid, RLIMIT_NOFILE, limit, null) === 0;
}

const unlimited = 2n ** 64n - 1n;

function asWord(limit: number): bigint {
  return limit >= 2 ** 64 ? unlimited : BigInt(limit);
}

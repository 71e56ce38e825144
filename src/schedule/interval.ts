/**
 * Intervals, and each machine's place in them.
 */

/**
 * How far into a period this machine's turn is: the md5 of its name, read as one big integer, modulo the period in
 * seconds; always the same for a name and a period. acron's very function, so that a machine keeps its offsets.
 * @param hostName as gethostname(2) has it
 * @param periodMs from one second up
 * @returns whole seconds in milliseconds, less than the period
 * @see docs/compatibility.md "consistent splay"
 */
export function consistentSplayMs(hostName: string, periodMs: number): number {
  const seconds = BigInt(Math.max(1, Math.floor(periodMs / 1000)));
  const digest = new Bun.CryptoHasher("md5").update(hostName).digest("hex");
  return Number(BigInt(`0x${digest}`) % seconds) * 1000;
}

/**
 * A place in a window that is always the same for a text, and another one for almost any other text.
 * @param windowMs from 0 up
 * @returns whole milliseconds, less than the window; 0 for an empty one
 */
export function stablePlaceMs(text: string, windowMs: number): number {
  const digest = new Bun.CryptoHasher("md5").update(text).digest();
  return Math.floor((digest.readUInt32BE(0) / 2 ** 32) * windowMs);
}

/**
 * "Once a day, I don't care when": places in a period for any number of jobs, so that they are even over it.
 *
 * Each job has a place of its own, by a hash of its name; with n jobs, chance alone leaves gaps of some periods · ln n / n. So the
 * period is parted into buckets, and none may stay empty: a bucket that nobody's own place is in gets a job from its neighbourhood, by a
 * rule that looks at names alone. With b buckets, no gap is wider than two of them; there are so many that 2/b ≤ 3/n.
 *
 * The places must not depend on history, or a restart and a second machine would have others. And few of them may change when jobs
 * come and go, for a job that moves may have to wait for up to two periods. Ranks would be more even, but then all move with each
 * newcomer. Hence:
 * - who is not needed elsewhere stays at his own place, whatever the others do;
 * - there are fewer buckets than jobs, 1.2 to 1.5 jobs each: with some to spare, an empty bucket is filled from nearby;
 * - the number of buckets grows in steps (4, 5, 6, 7, 8, 10, 12, 14, 16, 20 …), and not with each job.
 *
 * Buckets are filled from the whole to the parts: a stretch of buckets is halved, and each half must have as many jobs as buckets. A half that has
 * too few gets those of the other half that are first in an order of their own, again by name. In long stretches that
 * hardly ever happens; so what one job changes stays in its surroundings. test/schedule/spread.test.ts measures all this.
 */
const jobsPerBucket = 1.2;

interface Placed {
  readonly name: string;
  /** Who goes first where somebody must move. */
  readonly turn: number;
  /** 0 ≤ x < 1. */
  place: number;
}

/**
 * The places of jobs that are spread over one period. Pure: it depends on the names and the period, not on their order.
 * @param names each once
 * @param periodMs whole seconds, from one second up
 * @returns for each name how far into the period it is due: whole seconds in milliseconds, less than the period. No two that are neighbours
 *   in time, round the period's end too, are further apart than 3 periods / n, give or take a second
 */
export function spreadPlaces(names: readonly string[], periodMs: number): Map<string, number> {
  const jobs = names
    .map((name) => placedByHash(name, periodMs))
    .sort((a, b) => a.turn - b.turn || byName(a, b));
  const count = bucketCount(jobs.length);
  fill(jobs, { from: 0, end: count, count });
  const seconds = Math.max(1, Math.floor(periodMs / 1000));
  return new Map(jobs.map(({ name, place }) => [name, Math.floor(place * seconds) * 1000]));
}

/** The largest of 1, 2, 3 and 4, 5, 6, 7 times a power of two that leaves each bucket 1.2 jobs. */
function bucketCount(jobCount: number): number {
  const most = Math.max(1, Math.floor(jobCount / jobsPerBucket));
  const power = 2 ** Math.max(0, Math.floor(Math.log2(most)) - 2);
  return Math.floor(most / power) * power;
}

interface Stretch {
  /** The first bucket. */
  readonly from: number;
  /** The one behind the last. */
  readonly end: number;
  /** How many buckets the period has. */
  readonly count: number;
}

/** Sees to it that each bucket of a stretch has a job. @param jobs those of the stretch, as many as its buckets at least, by their turns */
function fill(jobs: readonly Placed[], { from, end, count }: Stretch): void {
  if (end - from < 2) return;
  const middle = Math.floor((from + end) / 2);
  const left = { from, end: middle, count };
  const right = { from: middle, end, count };
  let inLeft = jobs.filter(({ place }) => place * count < middle);
  let inRight = jobs.filter(({ place }) => place * count >= middle);
  const lackLeft = middle - from - inLeft.length;
  const lackRight = end - middle - inRight.length;
  if (lackLeft > 0) inLeft = joined(inLeft, inRight.splice(0, lackLeft), left);
  else if (lackRight > 0) inRight = joined(inRight, inLeft.splice(0, lackRight), right);
  fill(inLeft, left);
  fill(inRight, right);
}

/** The jobs of a stretch with those that move there, each to a place that its name gives it in this stretch. */
function joined(jobs: readonly Placed[], moving: readonly Placed[], { from, end, count }: Stretch): Placed[] {
  for (const job of moving) {
    const share = fractionsOf(`${job.name}\0${from / count}\0${end / count}`)[0];
    // Below the end, whatever the rounding: a place that is the end belongs to the next stretch.
    job.place = Math.min((from + share * (end - from)) / count, (end - 1e-6) / count);
  }
  return [...jobs, ...moving].sort((a, b) => a.turn - b.turn || byName(a, b));
}

function placedByHash(name: string, periodMs: number): Placed {
  const [place, turn] = fractionsOf(`${name}\0${periodMs}`);
  return { name, place, turn };
}

/** Two numbers, 0 ≤ x < 1. md5, since places must be the same with every version of the program. */
function fractionsOf(text: string): [number, number] {
  const digest = new Bun.CryptoHasher("md5").update(text).digest();
  return [digest.readUInt32BE(0) / 2 ** 32, digest.readUInt32BE(4) / 2 ** 32];
}

function byName(a: Placed, b: Placed): number {
  return a.name < b.name ? -1 : 1;
}

/** The queue of runs: whose turn it is. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type QueuedRun, RunQueue, waitingPerJob } from "../../src/daemon/run-queue.ts";

const run = (runId: string, jobName: string, startAtMs = 0): QueuedRun => ({ runId, jobName, startAtMs });

/** Takes all that may start. */
function takeAll(queue: RunQueue<QueuedRun>, nowMs = 0): string {
  const taken: string[] = [];
  for (let next = queue.take(nowMs); next !== undefined; next = queue.take(nowMs)) taken.push(next.runId);
  return taken.join(" ");
}

describe("RunQueue", () => {
  test("gives runs in the order in which they came", () => {
    const queue = new RunQueue<QueuedRun>(Infinity);
    for (const name of ["a", "b", "c", "d", "e", "f", "g"]) queue.add(run(name, name));
    expect(takeAll(queue)).toBe("a b c d e f g");
    expect(queue.going).toBe(7);
  });

  test("holds back what is put off, and tells until when", () => {
    const queue = new RunQueue<QueuedRun>(Infinity);
    queue.add(run("late", "a", 30));
    queue.add(run("now", "b", 10));
    queue.add(run("later", "c", 20));
    expect([takeAll(queue, 10), queue.nextStartMs]).toEqual(["now", 20]);
    expect([takeAll(queue, 25), queue.nextStartMs]).toEqual(["later", 30]);
    expect([takeAll(queue, 30), queue.nextStartMs]).toEqual(["late", undefined]);
  });

  test("lets no more go on than it was told", () => {
    const queue = new RunQueue<QueuedRun>(2);
    for (const name of ["a", "b", "c"]) queue.add(run(name, name));
    expect(takeAll(queue)).toBe("a b");
    expect([queue.isFull, queue.waiting]).toEqual([true, 1]);
    queue.done("a");
    expect([takeAll(queue), queue.isFull, queue.waiting]).toEqual(["c", false, 0]);
  });

  test("gives each job its turn, however many runs another one has waiting", () => {
    const queue = new RunQueue<QueuedRun>(1);
    for (let at = 0; at < 5; at++) queue.add(run(`a${at}`, "a"));
    queue.add(run("b0", "b"));
    queue.add(run("c0", "c"));
    queue.add(run("b1", "b"));
    const order: string[] = [];
    for (let next = queue.take(0); next !== undefined; next = queue.take(0)) {
      order.push(next.runId);
      queue.done(next.runId);
    }
    expect(order.join(" ")).toBe("a0 b0 c0 a1 b1 a2 a3 a4");
  });

  test(`takes no more than ${waitingPerJob} of one job that wait for their turn, and goes on taking others`, () => {
    const queue = new RunQueue<QueuedRun>(1);
    // What comes at one moment is taken whole, however much it is.
    for (let at = 0; at < waitingPerJob * 2; at++) expect(queue.add(run(`a${at}`, "a"))).toBe(true);
    queue.take(0);
    expect(queue.add(run("more", "a"))).toBe(false);
    expect(queue.add({ ...run("made up for", "a"), isMadeUp: true })).toBe(true);
    expect(queue.add(run("b0", "b"))).toBe(true);
  });

  test("runs that are made up for, or put off, take no room from the ordinary ones", () => {
    const queue = new RunQueue<QueuedRun>(1);
    for (let at = 0; at < waitingPerJob; at++) queue.add({ ...run(`m${at}`, "a"), isMadeUp: true });
    for (let at = 0; at < waitingPerJob; at++) queue.add(run(`l${at}`, "a", 1000));
    queue.take(0);
    expect(queue.add(run("now", "a"))).toBe(true);
  });

  test("no job has more than 10,000 waiting, put off or not", () => {
    const queue = new RunQueue<QueuedRun>(1);
    for (let at = 0; at < 10_000; at++) queue.add(run(`l${at}`, "a", 1000));
    expect(queue.add(run("more", "a", 1000))).toBe(false);
  });

  test("a clock that is set moves what is put off with it", () => {
    const queue = new RunQueue<QueuedRun>(Infinity);
    queue.add(run("a", "a", 1000));
    queue.add(run("b", "b", 2000));
    queue.shift(-900);
    expect([queue.nextStartMs, takeAll(queue, 100), takeAll(queue, 1100)]).toEqual([100, "a", "b"]);
  });

  test("counts what goes on, by job too, and forgets what is done twice", () => {
    const queue = new RunQueue<QueuedRun>(1);
    queue.goesOn(run("x", "a"));
    queue.add(run("y", "a"));
    expect([queue.take(0), queue.goingOf("a"), queue.waitingOf("a")]).toEqual([undefined, 1, 1]);
    queue.done("x");
    queue.done("x");
    expect([queue.take(0)?.runId, queue.goingOf("a"), queue.waitingOf("a")]).toEqual(["y", 1, 0]);
  });

  test("of one job the earlier start goes first, and of equal ones the first that came; nothing is lost", () => {
    const jobs = fc.constantFrom("a", "b", "c");
    const runs = fc.array(fc.record({ jobName: jobs, startAtMs: fc.nat(20) }), { maxLength: 60 });
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 5 }), (given, limit) => {
        const queue = new RunQueue<QueuedRun>(limit);
        for (const [at, each] of given.entries())
          expect(queue.add({ runId: String(at), ...each })).toBe(true);
        const taken: QueuedRun[] = [];
        for (let nowMs = 0; nowMs <= 20 || queue.waiting > 0; nowMs++) {
          for (let next = queue.take(nowMs); next !== undefined; next = queue.take(nowMs)) {
            expect(next.startAtMs).toBeLessThanOrEqual(nowMs);
            expect(queue.going).toBeLessThanOrEqual(limit);
            taken.push(next);
          }
          for (const each of [...queue.allGoing]) queue.done(each.runId);
        }
        for (const jobName of ["a", "b", "c"]) {
          const expected = given
            .map((each, at) => ({ ...each, at }))
            .filter((each) => each.jobName === jobName)
            .sort((x, y) => x.startAtMs - y.startAtMs || x.at - y.at)
            .map(({ at }) => String(at));
          expect(taken.filter((each) => each.jobName === jobName).map(({ runId }) => runId)).toEqual(
            expected,
          );
        }
      }),
    );
  });
});

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { consistentSplayMs, stablePlaceMs } from "../../src/schedule/schedule.ts";
import { describeWith } from "../support/debian.ts";

const hour = 3_600_000;

describe("consistentSplayMs()", () => {
  // python3 -c 'import hashlib; print(int(hashlib.md5(b"db1").hexdigest(), 16) % 3600)'
  test.each([
    ["", hour, 2766],
    ["db1", hour, 2192],
    ["db2", hour, 2163],
    ["db1", hour / 6, 392],
    ["db1", 24 * hour, 66_992],
    ["web-17.example.org", hour, 2609],
    ["db1", 1000, 0],
  ] as const)("%j in %i ms has its turn at %i s, for ever", (name, periodMs, seconds) => {
    expect(consistentSplayMs(name, periodMs)).toBe(seconds * 1000);
  });

  test("whole seconds, less than the period", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 86_400_000 }), (name, seconds) => {
        const ms = consistentSplayMs(name, seconds * 1000);
        expect(ms % 1000).toBe(0);
        expect(ms).toBeWithin(0, seconds * 1000);
      }),
    );
  });

  test("a thousand machines are spread over the period", () => {
    const quarters = [0, 0, 0, 0];
    for (let n = 0; n < 1000; n++) {
      const quarter = Math.floor((4 * consistentSplayMs(`host${n}.example.org`, hour)) / hour);
      quarters[quarter] = (quarters[quarter] ?? 0) + 1;
    }
    for (const count of quarters) expect(count).toBeWithin(200, 300);
  });
});

describe("stablePlaceMs()", () => {
  // python3 -c 'import hashlib; print(int(hashlib.md5(b"db1").hexdigest()[:8], 16) * 60_000 >> 32)'
  test.each([
    ["db1", 60_000, 49_574],
    ["db2", 60_000, 54_980],
    ["db1", 0, 0],
  ])("%j in %i ms is at %i ms, for ever", (text, windowMs, placeMs) => {
    expect(stablePlaceMs(text, windowMs)).toBe(placeMs);
  });
  test("a thousand texts are spread over the window", () => {
    const quarters = [0, 0, 0, 0];
    for (let n = 0; n < 1000; n++) {
      const quarter = Math.floor((4 * stablePlaceMs(`job${n}`, 100_000)) / 100_000);
      quarters[quarter] = (quarters[quarter] ?? 0) + 1;
    }
    for (const count of quarters) expect(count).toBeWithin(200, 300);
  });
});

describeWith("consistentSplayMs() beside Python's md5", ["python3"], () => {
  test("is the same for any name and period", () => {
    const names = ["", "db1", "web-17.example.org", "ümlaut", "x".repeat(200)];
    const periods = [1, 7, 60, 600, 3600, 86_400, 86_400_000];
    const script = `
import hashlib, json, sys
names, periods = json.loads(sys.argv[1])
print(json.dumps([[int(hashlib.md5(name.encode()).hexdigest(), 16) % period for period in periods] for name in names]))`;
    const python = Bun.spawnSync(["python3", "-c", script, JSON.stringify([names, periods])]);
    expect(
      names.map((name) => periods.map((period) => consistentSplayMs(name, period * 1000) / 1000)),
    ).toEqual(JSON.parse(python.stdout.toString()));
  });
});

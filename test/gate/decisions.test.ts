/** The golden decisions, one test a file; golden-decision.ts says what stands in one. */
import { describe, expect, test } from "bun:test";
import { goldenDecisions } from "./golden-decision.ts";

describe("decide(): docs/compatibility.md and docs/verdicts.md", () => {
  for (const golden of goldenDecisions()) {
    test(`${golden.name}: ${golden.claim}`, () => {
      expect(golden.told()).toBe(golden.decision);
    });
  }
});

/**
 * A clock that is stepped while a job runs: what is measured and waited for is time, not the clock.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { describeWith } from "../support/debian.ts";
import { runScene } from "../support/run-scene.ts";

setDefaultTimeout(40_000);

const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

describeWith("a clock that is stepped by an hour while the job runs", [library], () => {
  test.each([
    ["forward", "+3600s"],
    ["back", "-3600s"],
  ])(
    "%s: neither timeout nor retry come sooner or later, and the record has the true duration",
    async (_, step) => {
      using scene = runScene();
      const clock = scene.at("clock");
      const env = {
        ...process.env,
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      };
      const run = async (options: string[], job: string) => {
        writeFileSync(clock, "+0s\n");
        const ended = scene.rcron([...options, "env", "-u", "LD_PRELOAD", "sh", "-c", job], { env });
        await Bun.sleep(500);
        writeFileSync(clock, `${step}\n`);
        return (await ended).exitCode;
      };
      expect(await run(["--timeout", "20s", "--overlap", "skip"], "sleep 1.2; exit 3")).toBe(3);
      expect(scene.lastEnd().ms).toBeWithin(1100, 3000);
      expect(await run(["--timeout", "2s", "--output", "cron"], "sleep 30")).toBe(124);
      expect(scene.lastEnd().ms).toBeWithin(1900, 4000);
      const retries = ["--retry", "1", "--retry-delay", "1s"];
      expect(await run(retries, "sleep 0.1; exit 4")).toBe(4);
      expect(scene.lastEnd()).toMatchObject({ attempts: 2 });
      expect(scene.lastEnd().ms).toBeWithin(1100, 3500);
    },
  );
});

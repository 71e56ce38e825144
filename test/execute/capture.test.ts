import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Capture } from "../../src/execute/capture.ts";
import { temporaryFolder } from "../support/program.ts";

test("a receiver that stands still is given up when the job has ended, and the others have it all", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/out`;
  const logged: string[] = [];
  const capture = new Capture(
    {
      outputs: [
        { isIfError: false, sink: { kind: "syslog" } },
        { isIfError: false, sink: { kind: "file", path } },
      ],
      isStderrApart: false,
      holdFolders: [],
      logLine: (line) => logged.push(line),
      isLogBusy: () => logged.length >= 10,
    },
    200,
  );
  const streams = capture.begin();
  if ("code" in streams) throw new Error(streams.text);
  const job = Bun.spawn(["seq", "1000000"], { stdout: streams.stdout, stderr: streams.stderr });
  capture.started();
  // The job waits for the log as well: nobody gives up while it runs.
  const first = await Promise.race([job.exited, Bun.sleep(500)]);
  expect(first).toBeUndefined();
  job.kill("SIGKILL");
  await job.exited;
  expect(await capture.end()).toBe(false);
  await capture.finish(false);

  const text = readFileSync(path, "utf8");
  expect(text.length).toBe(capture.kept().bytes);
  expect(text.length).toBeGreaterThan(64 * 1024);
  expect(logged).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
  const lost = text.length - logged.join("\n").length - 1;
  expect(capture.warnings).toEqual([`the log: ${lost} bytes of output were lost`]);
});

/** What the record is told of a scheduler's run at its start. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { DaemonLog } from "../../src/cli/daemon-log.ts";
import { RunTeller } from "../../src/cli/run-teller.ts";
import { type Conf, parseConf } from "../../src/gate/gate.ts";
import { parseAcronFile } from "../../src/jobs/jobs.ts";
import { Problem } from "../../src/model/problem.ts";
import { noProvenance } from "../../src/model/provenance.ts";
import { parseEvent } from "../../src/model/run-event.ts";
import { terms } from "../jobs/terms.ts";
import { temporaryFolder } from "../support/program.ts";

function conf(): Conf {
  const parsed = parseConf("", "f");
  if (parsed instanceof Problem) throw parsed;
  return parsed.conf;
}

test.each([
  ["every 1h\non any of web\nrun x\n", true],
  ["every 1h\nrun x\n", undefined],
])("RunTeller marks the start of a run that goes on without its watcher: %j", (text, isMarked) => {
  using folder = temporaryFolder();
  const teller = new RunTeller({
    log: new DaemonLog(conf(), "stderr"),
    hostName: "alpha",
    environment: [],
    conf,
    confPath: undefined,
    recordFolder: () => folder.path,
  });
  const [job] = parseAcronFile(text, "/f", "f", terms).jobs;
  if (job === undefined) throw new Error("no job");
  const verdict = {
    state: "active",
    reason: "state-file",
    sentence: "",
    stateFile: "",
    isDefault: false,
    epoch: 0,
    provenance: noProvenance,
  } as const;
  const tick = { atMs: 0, localMs: 0 };
  teller.started(
    teller.know({ runId: "a1", jobName: "f", job, tick, isMadeUp: false, askedBy: undefined, verdict }),
  );
  const [line = ""] = readFileSync(`${folder.path}/journal`, "utf8").split("\n").filter(Boolean);
  const event = parseEvent(line);
  if (event?.kind !== "start") throw new Error(line);
  expect([event.run, event.onNodes]).toEqual(["a1", isMarked]);
});

/** A log that is mute, full, gone or out of reach can't hold up a job, nor change it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { describeOnPrivateHost, project } from "../support/private-host.ts";
import { linesOf, logNeeds, play } from "./daemons.ts";
import { python, step } from "./log-stage.ts";

setDefaultTimeout(60_000);

/** Ways of having no log; each prepares /dev/log. */
const muteLogs = {
  "no log socket": "",
  "a log socket that nobody reads, its queue full":
    "log_socket full /run/heard /run/ready /run/never & until_ok test -e /run/ready",
  "an rsyslogd that was stopped, its queue full":
    "start_rsyslog; kill -STOP $rsyslog; log_socket fill /run/ready",
  "a log socket whose daemon was killed": "start_rsyslog; kill -9 $rsyslog; wait $rsyslog || :; rsyslog=",
  "a log socket of type stream that accepts nobody":
    "log_socket deaf /run/ready & until_ok test -e /run/ready",
  "a folder in the log socket's place": "mkdir /dev/log",
};

interface Start {
  /** A part of the title. */
  readonly without: string;
  /** What stands before rcron's own words. */
  readonly start: string;
  /** Why it can't be had on this machine. */
  readonly lacks?: string | undefined;
}

const hasNoExec =
  Bun.spawnSync(["/bin/sh", "-c", `${python} log_socket no-exec true`], { stderr: "ignore" }).exitCode === 0;

const withoutLibc: readonly Start[] = [
  {
    without: ", without libc for want of address space,",
    start: `sh -c 'ulimit -v 2000000; exec rcron "$@"' sh`,
  },
  {
    without: ", without libc for want of executable memory,",
    start: "log_socket no-exec rcron",
    lacks: hasNoExec ? undefined : "needs python3 and a kernel with PR_SET_MDWE, 6.3 or later",
  },
];

function describeStart(title: string, { lacks }: Start, body: () => void): void {
  if (lacks === undefined) describeOnPrivateHost(title, [...logNeeds, "python3"], body);
  else describe.skip(`${title} [skipped: ${lacks}]`, body);
}

for (const way of [{ without: "", start: "rcron" }, ...withoutLibc]) {
  const { without, start } = way;
  describeStart(`rcron${without} with a log that is mute:`, way, () => {
    for (const [name, prepare] of Object.entries(muteLogs)) {
      test(`${name}: the job starts, its exit status stands, the run ends`, async () => {
        const { files } = await play(`${python}${step}
${prepare}
begin=$(now_ms)
${start} step & run=$!
until_ok job_started
release
run_ends
echo $(($(now_ms) - begin)) >/run/out/took-ms`);
        expect(files).toMatchObject({ events: "started\nended\n", status: "7\n" });
        expect(Number(files["took-ms"])).toBeLessThan(5000);
      });
    }

    test("leaves no process behind, 3 s after its end", async () => {
      const { files } = await play(`${python}${step}
log_socket full /run/heard /run/ready /run/never & until_ok test -e /run/ready
release
${start} step & run=$!
run_ends
for second in 1 2 3; do none_runs logger || sleep 1; done
runs logger >/run/out/left`);
      expect(files).toMatchObject({ status: "7\n", left: "0\n" });
    });

    test("a passive machine's run ends as well, with status 0", async () => {
      const { files } = await play(`${python}${step}
state passive
log_socket full /run/heard /run/ready /run/never & until_ok test -e /run/ready
begin=$(now_ms)
${start} step & run=$!
run_ends
echo $(($(now_ms) - begin)) >/run/out/took-ms`);
      expect(files).toMatchObject({ status: "0\n" });
      expect(files).not.toHaveProperty("events");
      expect(Number(files["took-ms"])).toBeLessThan(5000);
    });
  });
}

describeOnPrivateHost("the last wait for a log that has no room", ["python3"], () => {
  test.each([
    ["a datagram socket that nobody reads", "log_socket full /run/heard /run/ready /run/never"],
    ["a stream socket that accepts and does not read", "log_socket mute-stream /run/ready"],
  ])("is bounded, and a wait instead of work: %s", async (_, socket) => {
    const { files } = await play(`${python}
${socket} & until_ok test -e /run/ready
'${process.execPath}' '${project}/test/system/flood-log.ts' >/run/out/took`);
    const [tookMs = 0, workMs = 0] = (files["took"] ?? "").trim().split(" ").map(Number);
    expect(tookMs).toBeWithin(900, 5000);
    expect(workMs).toBeLessThan(tookMs / 3);
  });
});

describeOnPrivateHost("a log that goes away while the job runs", [...logNeeds, "python3"], () => {
  test.each([
    ["an rsyslogd that is stopped, its queue full", "kill -STOP $rsyslog; log_socket fill /run/ready"],
    ["an rsyslogd that is killed", "kill -9 $rsyslog; wait $rsyslog || :; rsyslog="],
    ["an rsyslogd that ends, and its socket with it", "stop_rsyslog; rm -f /dev/log"],
  ])("changes nothing about the job: %s", async (_, between) => {
    const { files } = await play(`${python}${step}
start_rsyslog
rcron step & run=$!
until_ok logged status=start
${between}
begin=$(now_ms)
release
run_ends
echo $(($(now_ms) - begin)) >/run/out/took-ms`);
    expect(files).toMatchObject({ events: "started\nended\n", status: "7\n" });
    expect(Number(files["took-ms"])).toBeLessThan(5000);
  });
});

for (const way of withoutLibc) {
  const { without, start } = way;
  describeStart(`rcron${without} and a daemon that reads:`, way, () => {
    test("logs through logger(1): facility, severity, tag, pid and message", async () => {
      const scene = await play(`${python}${step}
job tell-parent <<'END'
#!/bin/sh
echo $PPID >/run/out/parent
exit 3
END
start_rsyslog
rm /run/rcron.state
${start} tell-parent 2>/run/out/mail & run=$!
run_ends`);
      const pid = scene.files["parent"]?.trim();
      const told = linesOf(scene, "rcron").map((line) => ({ ...line, raw: undefined }));
      const warning = expect.stringMatching(/^warning: can't read the state file/);
      expect<unknown>(told.toSorted((a, b) => a.message.localeCompare(b.message))).toEqual(
        [
          { severity: "info", message: "cluster=blue state=active status=fail dur=0 cmd=tell-parent" },
          { severity: "info", message: "cluster=blue state=active status=start cmd=tell-parent" },
          { severity: "warning", message: warning },
        ].map((line) => ({ ...line, facility: "cron", tag: "rcron", pid, raw: undefined })),
      );
      expect(scene.files).toMatchObject({ status: "3\n" });
    });

    test("logs the start line before the end line, however short the job", async () => {
      const scene = await play(`${python}${step}
start_rsyslog
for n in $(seq 20); do ${start} true $n; done`);
      const lines = linesOf(scene, "rcron").map(({ message }) => message);
      expect(lines.map((line) => line.replace(/dur=\d+ /, ""))).toEqual(
        Array.from({ length: 20 }, (_, index) => [
          `cluster=blue state=active status=start cmd=true ${index + 1}`,
          `cluster=blue state=active status=ok cmd=true ${index + 1}`,
        ]).flat(),
      );
    });

    test("runs the job without logger(1), too", async () => {
      const scene = await play(`${python}${step}
start_rsyslog
rm /usr/bin/logger
release
${start} step 2>/run/out/mail & run=$!
run_ends`);
      expect(scene.files).toMatchObject({ events: "started\nended\n", status: "7\n", mail: "" });
      // Also the proof that libc can't be called there.
      expect(linesOf(scene, "rcron")).toEqual([]);
    });
  });
}

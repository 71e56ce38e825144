/** What arrives in the log, through real sockets and daemons: its bytes, its order, all of it. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { describeOnPrivateHost } from "../support/private-host.ts";
import { linesOf, logNeeds, play, shortIsNothing } from "./daemons.ts";
import { heard, python, step } from "./log-stage.ts";

setDefaultTimeout(60_000);

describeOnPrivateHost("a log that comes back", [...logNeeds, "python3"], () => {
  test("while the job runs gets the lines that waited, in their order", async () => {
    const { files } = await play(`${python}${step}
log_socket full /run/out/heard /run/ready /run/go & until_ok test -e /run/ready
rm /etc/rcron/rcron.conf /run/rcron.state
rcron step 2>/run/out/mail & run=$!
until_ok job_started
: >/run/go
has_heard() { [ "$(grep -vc ${hex("filler")} /run/out/heard)" -ge $1 ]; }
until_ok has_heard 3
echo heard >>/run/out/events
release
run_ends
until_ok has_heard 4`);
    const messages = heard(files["heard"]).filter((line) => !line.includes("filler"));
    expect(messages.map((line) => shortIsNothing(line.replace(/^.*?\]: /, "")))).toEqual([
      expect.stringContaining("warning: no configuration at"),
      expect.stringContaining("warning: can't read the state file"),
      "cluster=default_cluster state=active status=start cmd=step",
      "cluster=default_cluster state=active status=fail dur=0 cmd=step",
    ]);
    expect(files).toMatchObject({ events: "started\nheard\nended\n", status: "7\n" });
  });

  test("just after the job has ended still gets both lines", async () => {
    const { files } = await play(`${python}${step}
log_socket full /run/out/heard /run/ready /run/go & until_ok test -e /run/ready
release
rcron step & run=$!
until_ok job_ended
: >/run/go
run_ends`);
    const messages = heard(files["heard"]).filter((line) => !line.includes("filler"));
    expect(messages.map((line) => /status=\w+/.exec(line)?.[0])).toEqual(["status=start", "status=fail"]);
    expect(files).toMatchObject({ status: "7\n" });
  });

  test.each([
    [
      "an rsyslogd that was stopped and goes on",
      "kill -STOP $rsyslog; log_socket fill /run/ready; kill -CONT $rsyslog",
    ],
    ["an rsyslogd that was restarted", "stop_rsyslog; start_rsyslog"],
    ["an rsyslogd that was killed and restarted", "kill -9 $rsyslog; wait $rsyslog || :; start_rsyslog"],
  ])("between the start line and the end line gets both: %s", async (_, between) => {
    const scene = await play(`${python}${step}
start_rsyslog
rcron step & run=$!
until_ok logged status=start
${between}
release
run_ends
until_ok logged status=fail`);
    expect(linesOf(scene, "rcron").map(({ message }) => message)).toEqual([
      "cluster=blue state=active status=start cmd=step",
      "cluster=blue state=active status=fail dur=0 cmd=step",
    ]);
    expect(scene.files).toMatchObject({ status: "7\n" });
  });

  test("gets the end line of a job that started before the first rsyslogd", async () => {
    const scene = await play(`${python}${step}
rcron step & run=$!
until_ok job_started
start_rsyslog
release
run_ends`);
    expect(linesOf(scene, "rcron").map(({ message }) => message)).toEqual([
      "cluster=blue state=active status=fail dur=0 cmd=step",
    ]);
    expect(scene.files).toMatchObject({ status: "7\n" });
  });
});

describeOnPrivateHost(
  "docs/compatibility.md, syslog: a datagram of rcron's",
  [...logNeeds, "python3"],
  () => {
    const long = `"$(head -c 7000 /dev/zero | tr '\\0' x)"`;
    test.each([
      ["plain words", { word: "--with 'its options'" }],
      ["UTF-8", { word: "'grüße ☃ 𝄞'" }],
      ["bytes that are no UTF-8", { word: `"$(printf 'a\\377b\\303')"` }],
      ["what printf(3) would take for its own", { word: "'%n %s %% %m'" }],
      ["line ends and control characters", { word: `"$(printf 'tab\\tline\\nescape\\033 end')"` }],
      ["7 kB", { word: long }],
      ["facility and level", { word: "x", facility: ["LOG_LOCAL3", 19], level: ["LOG_DEBUG", 7] }],
      ["a time zone", { word: "x", zone: "America/St_Johns" }],
      ["the time zone of the machine", { word: "x", zone: "" }],
      ["the name that it was called by", { word: "x", ident: "nightly report" }],
    ] satisfies [string, DatagramCase][])(
      "is that of the C library's syslog(3), byte for byte: %s",
      async (_, row) => {
        const {
          word,
          facility = ["LOG_CRON", 9],
          level = ["LOG_INFO", 6],
          ident = "rcron",
          zone = "UTC",
        }: DatagramCase = row;
        const { files } = await play(`${python}${step}
${zone === "" ? "unset TZ" : `export TZ=${zone}`}
log_socket record /run/out/heard & until_ok test -S /dev/log
conf 'cluster_name = blue' 'syslog_facility = ${facility[0]}' 'syslog_level = ${level[0]}'
state passive
ln -s "$(command -v rcron)" '/run/jobs/${ident}'
'/run/jobs/${ident}' job ${word}
set -- job ${word}
printf '%s' "cluster=blue state=passive status=ignore cmd=$*" | log_socket libc '${ident}' ${facility[1]} ${level[1]}
has_heard() { [ "$(wc -l </run/out/heard)" = 2 ]; }
until_ok has_heard`);
        const [ours, theirs] = heard(files["heard"]).map(parted);
        expect(ours?.head).toBe(theirs?.head ?? "none");
        expect(ours?.rest).toBe(theirs?.rest ?? "none");
        expect(Math.abs((ours?.atMs ?? 0) - (theirs?.atMs ?? Number.NaN))).toBeLessThanOrEqual(2000);
      },
    );

    test("is the same over a socket of type stream, where each ends with NUL", async () => {
      const { files } = await play(`${python}${step}
log_socket stream /run/out/heard & until_ok test -S /dev/log
release
rcron step & run=$!
run_ends
has_heard() { [ "$(wc -l </run/out/heard)" = 2 ]; }
until_ok has_heard`);
      expect(heard(files["heard"]).map((line) => parted(line).rest)).toEqual([
        "rcron[N]: cluster=blue state=active status=start cmd=step",
        "rcron[N]: cluster=blue state=active status=fail dur=0 cmd=step",
      ]);
      expect(files).toMatchObject({ status: "7\n" });
    });
  },
);

describeOnPrivateHost("200 at once", [...logNeeds], () => {
  const indices = Array.from({ length: 200 }, (_, index) => String(index));
  const crowd = "for n in $(seq 0 199); do rcron member $n & done";

  test("that run jobs which end in the same instant lose no line, and log none twice", async () => {
    const scene = await play(`${step}
job member <<'END'
#!/bin/sh
echo "$1" >>/run/started
read -r go </run/gate
END
start_rsyslog
: >/run/started
mkfifo /run/gate
exec 9<>/run/gate
${crowd}
all_started() { [ "$(wc -l </run/started)" = 200 ]; }
patiently all_started
for n in $(seq 200); do echo; done >&9
patiently none_runs rcron`);
    const lines = linesOf(scene, "rcron");
    for (const status of ["start", "ok"]) {
      const members = lines.filter(({ message }) => message.includes(`status=${status}`));
      expect(members.map(memberOf).toSorted(byNumber)).toEqual(indices);
    }
    // Each run has a pid of its own, and its start line comes before its end line.
    for (const index of indices) {
      const own = lines.filter((line) => memberOf(line) === index);
      expect(own.map(({ message }) => /status=\w+/.exec(message)?.[0])).toEqual([
        "status=start",
        "status=ok",
      ]);
      expect(new Set(own.map(({ pid }) => pid)).size).toBe(1);
    }
    expect(new Set(lines.map(({ pid }) => pid)).size).toBe(200);
  });

  test("that are passive lose no line, and log none twice", async () => {
    const scene = await play(`${step}
state passive
start_rsyslog
${crowd}
patiently none_runs rcron`);
    const lines = linesOf(scene, "rcron").filter(({ message }) => message.includes("status=ignore"));
    expect(lines.map(memberOf).toSorted(byNumber)).toEqual(indices);
  });
});

interface DatagramCase {
  /** Shell text: one word, or several. */
  readonly word: string;
  /** rcron's name, and syslog(3)'s number. */
  readonly facility?: readonly [name: string, number: number];
  readonly level?: readonly [name: string, number: number];
  readonly ident?: string;
  /** Empty: that of /etc/localtime. */
  readonly zone?: string;
}

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}

/** A datagram without what two of them can't share: its time apart, its pid as N. */
function parted(line: string) {
  const [, head = "", time = "", rest = ""] =
    /^(<\d+>)([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (.*)$/s.exec(line) ?? [];
  return { head, atMs: Date.parse(`2026 ${time} UTC`), rest: shortIsNothing(rest.replace(/\[\d+\]/, "[N]")) };
}

function memberOf({ message }: { message: string }): string {
  return /cmd=member (\d+)$/.exec(message)?.[1] ?? message;
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b);
}

/** The doctor on crontabs: the lines that use rcron, and the ones that should. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseCrontab } from "../../src/doctor/crontab.ts";
import { examine } from "../../src/doctor/doctor.ts";
import { simpleCommands } from "../../src/doctor/shell-line.ts";
import { healthyMachine } from "./fake-machine.ts";
import { anyText, testRows } from "./planted.ts";

const t = "/etc/crontab";
const d = "/etc/cron.d/jobs";
const put = "put rcron before it, or remove the line";
const install = "write its whole path, or install it";

describe("unprefixed twins", () => {
  testRows([
    [
      "in the same file",
      (m) => m.file(d, "0 1 * * * root rcron my-job\n0 2 * * * root my-job\n"),
      `warning crontab-twin ${d}@0 2 | ${put}`,
    ],
    [
      "in another file, with other quotes and redirections",
      (m) => m.file(d, "0 4 * * * app my-job '--flag' >/dev/null 2>&1\n"),
      `warning crontab-twin ${d}@0 4 | ${put}`,
    ],
    [
      "in a user's own crontab, which names no user",
      (m) => m.file("/var/spool/cron/crontabs/app", "@daily my-job --flag\n"),
      `warning crontab-twin /var/spool/cron/crontabs/app@@daily | ${put}`,
    ],
    [
      "behind a cd",
      (m) => m.file(d, "0 4 * * * root cd /srv && my-job --flag\n"),
      `warning crontab-twin ${d}@0 4 | ${put}`,
    ],
    [
      "with an assignment",
      (m) => m.file(d, "0 4 * * * root LANG=C my-job --flag\n"),
      `warning crontab-twin ${d}@0 4 | ${put}`,
    ],
    [
      "of a line for the shell",
      (m) => m.file(d, "0 1 * * * root rcron 'my-job | sort > /srv/x'\n0 2 * * * root my-job | sort\n"),
      `warning crontab-twin ${d}@0 2 | ${put}`,
    ],
    [
      "with options of rcron's",
      (m) =>
        m.file(d, "0 1 * * * root rcron --conf /etc/rcron/rcron.conf -- my-job b\n0 2 * * * root my-job b\n"),
      `warning crontab-twin ${d}@0 2 | ${put}`,
    ],
    [
      "other words are another job",
      (m) => m.file(d, "0 4 * * * root my-job --other\n0 5 * * * root my-job\n"),
    ],
    ["what is commented out does not run", (m) => m.file(d, "# 0 4 * * * root my-job --flag\n")],
    ["at boot it may be meant for every machine", (m) => m.file(d, "@reboot root my-job --flag\n")],
    ["two prefixed lines are none", (m) => m.file(d, "0 4 * * * root /usr/bin/rcron my-job --flag\n")],
    [
      "commands that say nothing are none",
      (m) => m.file("/bin/true", { mode: 0o755 }).file(d, "0 1 * * * root rcron true\n0 2 * * * root true\n"),
    ],
    [
      "a file that cron passes over has no twins",
      (m) => m.file("/etc/cron.d/jobs.off", "0 4 * * * root my-job --flag\n"),
    ],
    [
      "what an editor left behind is no crontab",
      (m) => m.file("/etc/cron.d/jobs~", "0 4 * * * root my-job --flag\n"),
    ],
  ]);
});

describe("a use of rcron", () => {
  testRows([
    [
      "by a path that is not there",
      (m) => m.file(d, "0 1 * * * root /opt/bin/rcron my-job x\n"),
      `error crontab-rcron ${d}:1 | write the path that rcron has here`,
    ],
    [
      "where only newer crons search",
      (m) =>
        m
          .remove("/usr/bin/rcron")
          .file("/usr/local/bin/rcron", { mode: 0o755 })
          .link("/usr/local/bin/rcrond", "rcron")
          .link("/usr/local/bin/rcronctl", "rcron")
          .file("/etc/default/keepalived", "RCRONCTL=/usr/local/bin/rcronctl\n"),
      `note crontab-rcron ${t}@0 3 | write its whole path, or PATH= above the line`,
    ],
    [
      "where the cron that runs does not search",
      (m) =>
        m
          .ends("cron")
          .runs({ name: "cron", pid: 9 })
          .file("/proc/9/environ", "A=b\0PATH=/usr/bin:/bin\0")
          .file("/opt/bin/tool", {})
          .file(d, "0 1 * * * root rcron tool\n"),
      `warning crontab-program ${d}:1 | ${install}`,
    ],
    [
      "outside of the crontab's PATH",
      (m) => m.file(d, "PATH=/sbin\n0 1 * * * root rcron /usr/bin/my-job x\n"),
      `error crontab-rcron ${d}:2 | write its whole path, or PATH= above the line`,
    ],
    [
      "in the machine's PATH",
      (m) =>
        m
          .file("/etc/environment", 'PATH="/opt/bin:/bin"\n')
          .file("/opt/bin/tool", { mode: 0o755 })
          .file(d, "0 1 * * * root rcron tool\n"),
    ],
    [
      "with a job that is not there",
      (m) => m.file(d, "0 1 * * * root rcron no-such-job\n"),
      `warning crontab-program ${d}:1 | ${install}`,
    ],
    [
      "with a job by a path that is not there",
      (m) => m.file(d, "0 1 * * * root rcron A=b /opt/none x\n"),
      `warning crontab-program ${d}:1 | install it`,
    ],
    [
      "with a job that is not executable",
      (m) => m.file("/opt/plain", "").file(d, "0 1 * * * root rcron /opt/plain x\n"),
      `warning crontab-program ${d}:1 | chmod +x /opt/plain`,
    ],
    [
      "with a shell's own command, for which there is no shell",
      (m) => m.file(d, "0 1 * * * root rcron cd /srv\n"),
      `warning crontab-program ${d}:1 | ${install}`,
    ],
    [
      "with a shell's own command in a line for the shell",
      (m) => m.file(d, "0 1 * * * root rcron 'cd /srv && ls'\n"),
    ],
    ["with --shell", (m) => m.file(d, "0 1 * * * root rcron --shell cd /srv\n")],
    [
      "with shell = joined",
      (m) =>
        m
          .file(d, "0 1 * * * root rcron cd /srv\n")
          .edit("/etc/rcron/rcron.conf", "require_writer", "shell = joined\nrequire_writer"),
    ],
    [
      "with a PATH of the job's own",
      (m) => m.file("/opt/bin/tool", { mode: 0o755 }).file(d, "0 1 * * * root rcron PATH=/opt/bin tool\n"),
    ],
    [
      "with a program that the shell puts in",
      (m) => m.file(d, '0 1 * * * root rcron "$HOME/bin/x" y\n0 2 * * * root rcron ~/bin/x y\n'),
    ],
    ["without a job", (m) => m.file(d, "@reboot root /usr/bin/rcron --generate\n")],
    [
      "behind a test, as Debian's packages have it",
      (m) => m.file(d, "0 1 * * * root [ -x /usr/bin/rcron ] && rcron no-such-job\n"),
      `warning crontab-program ${d}:1 | ${install}`,
    ],
    [
      "with a configuration that is not there",
      (m) => m.file(d, "0 1 * * * root rcron --conf /etc/rcron/no.conf my-job x\n"),
      `error crontab-conf ${d}:1 | mend /etc/rcron/no.conf`,
    ],
    [
      "with a configuration that is wrong",
      (m) =>
        m
          .file("/etc/rcron/no.conf", "nice_level = 99\n")
          .file(d, "0 1 * * * root rcron --conf=/etc/rcron/no.conf my-job x\n"),
      `error crontab-conf ${d}:1 | mend /etc/rcron/no.conf`,
    ],
    [
      "with a % that cron takes for a line's end",
      (m) => m.file(d, "0 1 * * * root rcron my-job $(date +%Y)\n"),
      `note crontab-percent ${d}:1 | if it belongs to the command, write \\%`,
    ],
    ["with a % that is written right", (m) => m.file(d, "0 1 * * * root rcron my-job $(date +\\%Y)\n")],
    [
      "in a file that a group may write, which cron passes over",
      (m) => m.file(d, { content: "0 1 * * * root rcron my-job x\n", mode: 0o664 }),
      `error crontab-mode ${d} | chmod 644 ${d}`,
    ],
    [
      "in a file of somebody else's",
      (m) => m.file(d, { content: "0 1 * * * root rcron my-job x\n", uid: 1000 }),
      `error crontab-mode ${d} | chown root:root ${d}`,
    ],
    [
      "in a file with a dot in its name",
      (m) => m.file(`${d}.conf`, "0 1 * * * root rcron my-job x\n"),
      `note crontab-name ${d}.conf | mv ${d}.conf ${d}-conf`,
    ],
    [
      "in a file with a dot, where cron reads those",
      (m) => m.remove("/etc/debian_version").file(`${d}.conf`, "0 1 * * * root rcron my-job x\n"),
    ],
  ]);

  test("a path in the user's home can't be known", () => {
    const machine = healthyMachine().file(d, "0 1 * * * root bin/rcron my-job x\n");
    expect(examine(machine, { conf: undefined }).findings.map(({ check }) => check)).toEqual([
      "keepalived-nopreempt",
    ]);
  });

  test("what stands in a crontab does not reach the terminal as it is", () => {
    const machine = healthyMachine().file(d, `0 1 * * * root rcron /opt/\x07${"x".repeat(1000)} y\n`);
    const finding = examine(machine, { conf: undefined }).findings.find(
      ({ check }) => check === "crontab-program",
    );
    expect(finding?.what).toContain("/opt/\\x07xxx");
    expect(finding?.what.length).toBeLessThan(520);
  });

  test("crontabs that only root may see are said to be unseen", () => {
    const machine = healthyMachine().file("/var/spool/cron/crontabs/app", "");
    machine.denied.add("/var/spool/cron/crontabs");
    expect(examine(machine, { conf: undefined }).unseen.map(({ what }) => what)).toContain(
      "/var/spool/cron/crontabs: permission denied",
    );
  });
});

describe("parseCrontab()", () => {
  const parse = (text: string, isSystem = false) =>
    parseCrontab(text, "f", isSystem).map(({ line, command, hasInput, environment }) => [
      line,
      command,
      hasInput,
      environment.get("A") ?? "",
    ]);

  test.each([
    ["* * * * * a b", [[1, "a b", false, ""]]],
    ["\n\t*/5\t1-3  * jan mon\ta  b ", [[2, "a  b", false, ""]]],
    ["@hourly a", [[1, "a", false, ""]]],
    ["-@hourly a", [[1, "a", false, ""]]],
    [
      "A = 'b c'\n* * * * * a\nA=d\n* * * * * a",
      [
        [2, "a", false, "b c"],
        [4, "a", false, "d"],
      ],
    ],
    ["* * * * * a%b%c", [[1, "a", true, ""]]],
    ["* * * * * %b", [[1, "", true, ""]]],
    ["* * * * * a \\% b%c", [[1, "a % b", true, ""]]],
    ["# * * * * * a\nnonsense\n* * *\n", []],
  ])("%j", (text, lines) => {
    expect(parse(text)).toEqual(lines as ReturnType<typeof parse>);
  });

  test("in a system's crontab the sixth field is the user", () => {
    expect(parse("* * * * * root a b\n* * * * * root\n", true)).toEqual([[1, "a b", false, ""]]);
  });

  test("is total", () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (text, isSystem) => {
        for (const { line } of parseCrontab(text, "f", isSystem)) expect(line).toBeGreaterThan(0);
      }),
    );
  });
});

describe("simpleCommands()", () => {
  test.each([
    ["a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]],
    ["a && b || c; d | e & f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]],
    ["(a; b)", [["a"], ["b"]]],
    ["a >/dev/null 2>&1 b", [["a", "b"]]],
    ["a &>/dev/null >>x <y 2> z b", [["a", "b"]]],
    ["a 2 >x", [["a", "2"]]],
    ["a # b", [["a"]]],
    ["a#b", [["a#b"]]],
    ["a '' \"\"", [["a", "", ""]]],
    ['a "x\\"y" \'x\\y\'', [["a", 'x"y', "x\\y"]]],
    ["a $(b 'c; d') `e; f` $g", [["a", "$(b 'c; d')", "`e; f`", "$g"]]],
    ["a 'open", [["a", "open"]]],
    ["", []],
  ])("%j", (line, commands) => {
    expect(simpleCommands(line).map((words) => words.map(({ text }) => text))).toEqual(commands);
  });

  test.each([
    ["$x", false],
    ["a*", false],
    ["~/a", false],
    ["'$x*~'", true],
    ['"$x"', false],
    ['"a*"', true],
    ["\\$x", true],
    ["{a,b}", false],
  ])("%s is literal: %p", (line, isLiteral) => {
    expect(simpleCommands(line)[0]?.[0]?.isLiteral).toBe(isLiteral);
  });

  test("is total", () => {
    const piece = fc.constantFrom(
      "'",
      '"',
      "\\",
      "$(",
      "${",
      ")",
      "}",
      "`",
      "&",
      "&&",
      "|",
      ";",
      ">",
      "<",
      "2>&1",
      " ",
      "#",
      "a",
      "\n",
      "\ud800",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        for (const words of simpleCommands(pieces.join(""))) expect(words.length).toBeGreaterThan(0);
      }),
    );
  });
});

/**
 * Crontabs. test/golden/jobs has most of them; here is what a file can't show, and Debian's cron itself, which is asked where
 * it is installed.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { parseCrontabFile } from "../../src/jobs/jobs.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { temporaryFolder } from "../support/program.ts";
import { terms } from "./terms.ts";

const owner = { kind: "owner", name: undefined } as const;
const read = (text: string) => parseCrontabFile(text, { path: "tab", prefix: "tab", user: owner }, terms);
const names = (text: string) => read(text).jobs.map(({ name }) => name.slice("tab:".length));

describe("parseCrontabFile()", () => {
  test.each([
    [
      "@daily x",
      ["tab:1: the last line has no newline, and Debian's cron would refuse the file: it is read here"],
    ],
    [
      "@daily x\nA=1",
      ["tab:2: the last line has no newline, and Debian's cron would refuse the file: it is read here"],
    ],
    ["@daily x\n", []],
    ["@daily x\n# comment", []],
    ["@daily x\n  ", []],
    ["", []],
  ])("%j: what is said of its end", (text, expected) => {
    const { warnings, problems } = read(text);
    expect(warnings.map(({ message }) => message)).toEqual(expected);
    expect(problems).toEqual([]);
  });

  test("a value that stands in the user's place is not told: it may be a password", () => {
    const kind = { path: "tab", prefix: "tab", user: { kind: "column" } } as const;
    const { problems } = parseCrontabFile("0 3 * * * PGPASSWORD=hunter2 pg_dump x\n", kind, terms);
    expect(problems.map(({ message }) => message)).toEqual([
      'tab:1: the user of a line must be one of this machine: got "PGPASSWORD" with a value',
    ]);
  });

  test("NUL is refused", () => {
    expect(read("@daily x\0\n").problems.map(({ message }) => message)).toEqual([
      "tab: a crontab must be text, without NUL",
    ]);
  });

  test("a spool's crontab belongs to its user", () => {
    const user = { kind: "owner", name: "mona" } as const;
    const [job] = parseCrontabFile("@daily x\n", { path: "mona", prefix: "mona", user }, terms).jobs;
    expect([job?.name, job?.rules.user, job?.rules.workingFolder]).toEqual(["mona:x", "mona", "/home/mona"]);
    expect(job?.rules.outputs).toEqual([
      { isIfError: false, sink: { kind: "mail", address: "mona@localhost" } },
    ]);
  });

  test("a line that begins with the prefix has no rules from sections: the prefix reads them itself", () => {
    const sections = {
      jobs: new Map(),
      defaults: [{ key: "timeout", text: "1h", where: "rcron.conf:2" }],
    } as const;
    const file = "@daily x\n@daily rcron y\n@daily /usr/bin/rcron --if z w\n";
    const { jobs } = parseCrontabFile(
      file,
      { path: "tab", prefix: "tab", user: owner },
      { ...terms, sections },
    );
    expect(jobs.map(({ rules }) => rules.timeoutMs)).toEqual([3_600_000, undefined, undefined]);
  });

  describe("names", () => {
    test.each([
      ["another line above it", "@daily x\n", "A=1\n@daily other\n@daily x\n", "x"],
      ["another time", "@daily x\n", "@hourly x\n", "x"],
      ["other words", "@daily x --a\n", "@daily /usr/bin/x --b\n", "x"],
    ])("%s: a line keeps its name", (_, before, after, name) => {
      expect(names(before)).toContain(name);
      expect(names(after)).toContain(name);
    });

    test("lines that share a name keep theirs in every order, and with other times", () => {
      const lines = ["@daily x 1", "@daily x 2", "@daily y", "@hourly y"];
      const before = names(`${lines.join("\n")}\n`);
      expect(new Set(before).size).toBe(4);
      expect(names(`${lines.toReversed().join("\n")}\n`).toReversed()).toEqual(before);
      expect(names("@weekly x 2\n@monthly x 1\n")).toEqual([before[1] ?? "", before[0] ?? ""]);
    });

    test("are unique and fit, whatever the commands", () => {
      const command = fc.oneof(
        fc.constantFrom("x", "x 1", "rcron x", "A=1 x", "[ x ]", "/"),
        fc.string({ unit: "binary" }),
      );
      fc.assert(
        fc.property(fc.array(command), (commands) => {
          const found = names(
            commands.map((each) => `@daily x${each.replaceAll(/[\0\n\r%]/g, "")}\n`).join(""),
          );
          expect(new Set(found).size).toBe(commands.length);
          for (const name of found) expect(name).toMatch(/^[\w.+@-]+$/);
        }),
      );
    });
  });

  test("is total: any text is jobs or has problems", () => {
    const pieces = [
      "* * * * *",
      "@daily",
      "@reboot",
      "0 3",
      "*/5",
      "root",
      "x",
      "%",
      "\\",
      "\\%",
      "=",
      "'",
      '"',
      "A",
      "MAILTO=",
      "CRON_TZ=UTC",
      "SHELL=",
      "#",
      "-",
    ];
    const piece = fc.oneof(
      fc.constantFrom(...pieces),
      fc.string({ maxLength: 6 }),
      fc.string({ unit: "binary", maxLength: 4 }),
    );
    const line = fc
      .tuple(fc.array(piece, { maxLength: 6 }), fc.constantFrom(" ", "", "\t"))
      .map(([parts, glue]) => parts.join(glue));
    const kinds = [owner, { kind: "column" }, { kind: "owner", name: "mona" }] as const;
    fc.assert(
      fc.property(
        fc.array(line),
        fc.constantFrom("\n", "\r\n"),
        fc.constantFrom(...kinds),
        (lines, end, user) => {
          const { jobs, problems, warnings } = parseCrontabFile(
            lines.join(end),
            { path: "tab", prefix: "tab", user },
            terms,
          );
          if (problems.length > 0) expect(jobs).toEqual([]);
          for (const { message } of [...problems, ...warnings]) {
            expect(message).toStartWith("tab");
            expect(message).not.toMatch(/[\0\n\r\x1b]/);
          }
          for (const { stdin, environment } of jobs) {
            expect(stdin?.endsWith("\n") ?? true).toBe(true);
            expect(new Set(environment.map(({ name }) => name)).size).toBe(environment.length);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

/** Each a line, or lines, of a crontab whose last line is `@reboot …`. */
const asked = [
  ...[
    "A = b c  \n@reboot x",
    "\"B B\"='x y'\n@reboot x",
    "C='  kept  '\n@reboot x",
    "E=a'b'c # d\n@reboot x",
    'I=""\n@reboot x',
  ],
  ...[
    ' J = "j" \n@reboot x',
    "'G'=1\n@reboot x",
    "A=1\nA=2\n@reboot x",
    "HOME=/tmp\n@reboot x",
    "PATH=/opt:/bin\n@reboot x",
  ],
  ...[
    "A=b=c\n@reboot x",
    "A==\n@reboot x",
    "A.b=c\n@reboot x",
    "A='x'  \t\n@reboot x",
    "A=' \"x\" '\n@reboot x",
    "A=x\ty\n@reboot x",
  ],
  ...[
    "@reboot a one\\%b c\\\\%d e\\x f\\\\g",
    "@reboot b%one\\%two%three\\x\\\\%four",
    "@reboot c%",
    "@reboot d%%",
    "@reboot e\\\\x f\\g",
  ],
  ...[
    "@reboot   trailing  \t ",
    "\t@reboot\ttab\ttab",
    "@reboot X=1 echo hi",
    "@reboot x\\",
    "@reboot x%y\\",
    "@reboot x \\\\\\% y % \\\\\\% z",
  ],
  ...["# c\n  # d\n\n@reboot x # not a comment", "@reboot x%a%%b%", "@reboot 'quoted % x'", "@reboot x%\\%"],
  ...['D="x"y\n@reboot x', 'F="open\n@reboot x', "K='a\\'b'\n@reboot x", "A B=c\n@reboot x"],
];

const script = (folder: string) => `
rm -f /etc/cron.d/* /etc/crontab
printf 'auth required pam_permit.so\\naccount required pam_permit.so\\nsession required pam_permit.so\\n' > /etc/pam.d/cron
cat > /mnt/dump <<'X'
#!/bin/bash
n=$DUMP_NUMBER; unset DUMP_NUMBER
{ printf '%s\\0' "$@"; printf '\\0'; cat; printf '\\0'; env -0; } > /mnt/out/$n.tmp; mv /mnt/out/$n.tmp /mnt/out/$n
X
chmod +x /mnt/dump
mkdir /mnt/out
for tab in ${folder}/tab.*; do
  number=\${tab##*.}
  { echo "DUMP_NUMBER=$number"; echo SHELL=/mnt/dump; cat $tab; } > /var/spool/cron/crontabs/root
  chmod 600 /var/spool/cron/crontabs/root
  rm -f /run/crond.reboot /run/crond.pid
  cron -f -L 0 & cron=$!
  tries=0; until [ -e /mnt/out/$number ] || [ $tries -ge 50 ]; do sleep 0.02; tries=$((tries + 1)); done
  kill $cron; wait $cron 2> /dev/null || :
done
cp /mnt/out/* ${folder}/
`;

describeOnPrivateHost("the real Debian cron starts what parseCrontabFile() says", ["cron"], () => {
  test("command, input and environment of each", async () => {
    using folder = temporaryFolder();
    for (const [number, text] of asked.entries()) writeFileSync(`${folder.path}/tab.${number}`, `${text}\n`);
    const ended = await onPrivateHost(script(folder.path), 60_000);
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    const theirs = asked.map(
      (_, number) =>
        existsSync(`${folder.path}/${number}`) && dumped(readFileSync(`${folder.path}/${number}`, "utf8")),
    );
    // All but the last few, which both refuse.
    expect(theirs.indexOf(false)).toBe(asked.length - 4);
    const ours = asked.map((text, number) => {
      const [job] = read(`SHELL=/mnt/dump\n${text}\n`).jobs;
      if (job?.command.kind !== "words") return false;
      const environment = Object.fromEntries(job.environment.map(({ name, value }) => [name, value]));
      const known = theirs[number];
      // What the shell of the dump has set besides is its own.
      if (known)
        for (const name of Object.keys(known.environment))
          if (!(name in environment)) delete known.environment[name];
      return { command: job.command.words[2], stdin: job.stdin ?? "", environment };
    });
    expect(asked.map((text, number) => [text, theirs[number]])).toEqual(
      asked.map((text, number) => [text, ours[number]]),
    );
  }, 60_000);
});

function dumped(text: string) {
  const [, command, , stdin = "", ...assignments] = text.split("\0");
  const environment: Record<string, string> = {};
  for (const each of assignments) {
    const equals = each.indexOf("=");
    if (equals >= 0) environment[each.slice(0, equals)] = each.slice(equals + 1);
  }
  return { command, stdin, environment };
}

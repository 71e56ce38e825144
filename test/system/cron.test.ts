/** Crontab lines with the prefix, run by the real cron, logged by the real rsyslogd, mailed through a real MTA. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { version } from "../../package.json";
import { describeOnPrivateHost } from "../support/private-host.ts";
import {
  cronNeeds,
  cronRuns,
  failuresByCommand,
  linesOf,
  type Mail,
  mailAbout,
  mailsAbout,
  play,
  type Scene,
} from "./daemons.ts";

setDefaultTimeout(60_000);

/** One scene for the tests of a describe; played when the first of them asks for it. */
function once(script: string): () => Promise<Scene> {
  let scene: Promise<Scene> | undefined;
  return () => {
    scene ??= play(`start_rsyslog\n${script}`);
    return scene;
  };
}

const jobs = `
job greet <<'END'
#!/bin/sh
echo "$GREETING, grüße"
echo "to stderr" >&2
printf '<%s>\\n' "$@"
wc -c
END
job fail <<'END'
#!/bin/sh
echo "failing with $1"
exit $1
END
job tell-parent <<'END'
#!/bin/sh
echo $PPID >/run/out/parent
END
job long <<'END'
#!/bin/sh
echo "$PPID" >/run/out/long-parent
exec sleep 60
END
job ran <<'END'
#!/bin/sh
echo ran >/run/out/ran-$1
END
`;

/** What a mail is apart from what two mails can't share, and from the command in its subject. */
function essence({ mailbox, headers, body }: Mail) {
  const own = /^(Subject|Date|Message-Id|Received):/i;
  return { mailbox, headers: headers.filter((header) => !own.test(header)), body };
}

/** All that stands before a message in a datagram: priority, local time, name and pid. */
function datagram(priority: number, tag: string, pid: string, message: string): unknown {
  const escaped = message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const time = String.raw`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d`;
  return expect.stringMatching(new RegExp(`^<${priority}>${time} ${tag}\\[${pid}\\]: ${escaped}$`));
}

describeOnPrivateHost("a crontab line with rcron, on the active machine,", [...cronNeeds], () => {
  const unchanged = [
    `greet one "two  three" 'a*b' $HOME`,
    "greet%first line%second line",
    "fail 7",
    "fail 255",
    "seq 20000",
    "env",
    "sh -c 'umask; ulimit -a'",
    "sh -c 'echo $0; exit 3'",
    "sh -c '(sleep 1; echo late) & echo early'",
    "printf 'no line end'",
    "printf 'a\\377b\\r\\n.\\nFrom me\\n\\n'",
    "ls -l /proc/self/cwd",
    "ls /proc/self/fd",
    "grep -E '^(Sig(Blk|Ign|Cgt)|Cap|NoNewPrivs|Groups)' /proc/self/status",
  ];
  // Silent, or with a mail in the shell's own words ("Killed", "not found"), which is none behind rcron.
  const alone = ["true", "false", "sh -c 'kill -9 $$'", "no-such-program", "/etc"];
  // The program is found through the crontab's PATH only, and is where an unprivileged user may run it.
  const scene = once(`${jobs}
mkdir /run/bin /run/links
cp "$(readlink -f /usr/bin/rcron)" /run/bin/rcron
rm /usr/bin/rcron
ln -s /run/bin/rcron /run/links/nightly
ln -s /run/bin/rcron /run/links/rcronctl
ln -s /run/bin/rcron /run/links/rcrond
conf 'cluster_name = blue' 'nice_level = 5'
state active
${cronRuns({
  environment: ["PATH=/run/jobs:/run/bin:/usr/bin:/bin", "MAILTO=root", 'GREETING="hello there"'],
  lines: [
    ...[...unchanged, ...alone].flatMap((line) => [line, `rcron ${line}`]),
    "rcron tell-parent",
    "rcron 'echo shouted | tr a-z A-Z; exit 4'",
    "rcron NAME=value sh -c 'echo $NAME'",
    "rcron long",
    "/run/links/nightly true",
    "/run/links/rcronctl --version",
    "/run/links/rcrond --version",
    "MAILTO=daemon",
    "rcron echo for daemon",
    'MAILTO=""',
    "rcron echo for nobody",
  ],
  meanwhile: `until_ok test -s /run/out/long-parent; kill -TERM "$(cat /run/out/long-parent)"; until_ok none_runs sleep`,
})}
${cronRuns({ user: "daemon", environment: ["PATH=/run/bin:/usr/bin:/bin"], lines: ["rcron id -un"] })}`);

  for (const line of unchanged) {
    const [command = ""] = line.split("%");
    test(`is mailed by cron as without it: ${line}`, async () => {
      const plain = mailAbout(await scene(), command);
      const prefixed = mailAbout(await scene(), `rcron ${command}`);
      expect(essence({ ...prefixed, body: prefixed.body.replace(/^RCRON_.*\n/gm, "") })).toEqual(
        essence(plain),
      );
      expect(prefixed.subject).toBe(plain.subject.replace("> ", "> rcron "));
    });
  }

  for (const line of [...unchanged, ...alone]) {
    const [command = ""] = line.split("%");
    test(`has the exit status that it has without it: ${line}`, async () => {
      const failures = failuresByCommand(await scene());
      expect(failures[`rcron ${command}`]).toBe(failures[command]);
    });
  }

  test("that is silent and succeeds causes no mail, with or without rcron", async () => {
    for (const command of ["true", "rcron true"]) expect(mailsAbout(await scene(), command)).toEqual([]);
  });

  test("whose command is not found is mailed in rcron's words instead of the shell's", async () => {
    expect(mailAbout(await scene(), "no-such-program").body).toEndWith("no-such-program: not found\n");
    expect(mailAbout(await scene(), "rcron no-such-program").body).toMatch(
      /^rcron: .*no-such-program.*not found\n/,
    );
  });

  test("that fails is logged by cron with the job's own exit status", async () => {
    expect(failuresByCommand(await scene())).toMatchObject({
      "rcron fail 7": 7,
      "rcron fail 255": 255,
      "rcron sh -c 'echo $0; exit 3'": 3,
      "rcron sh -c 'kill -9 $$'": 137,
      "rcron 'echo shouted | tr a-z A-Z; exit 4'": 4,
      "rcron no-such-program": 127,
      "rcron /etc": 126,
    });
  });

  test("that succeeds is not logged as failed", async () => {
    const failures = Object.keys(failuresByCommand(await scene()));
    expect(failures).not.toContain("rcron env");
    expect(failures).not.toContain("rcron tell-parent");
  });

  test("docs/compatibility.md, the lines: leaves a start line and an end line in syslog: facility, severity, tag, pid and bytes", async () => {
    const { files } = await scene();
    const pid = files["parent"]?.trim() ?? "none";
    const lines = linesOf(await scene(), "rcron").filter((line) => line.pid === pid);
    expect<unknown>(lines).toEqual(
      [
        "cluster=blue state=active status=start cmd=tell-parent",
        "cluster=blue state=active status=ok dur=0 cmd=tell-parent",
      ].map((message) => ({
        facility: "cron",
        severity: "info",
        tag: "rcron",
        pid,
        message,
        raw: datagram(78, "rcron", pid, message),
      })),
    );
  });

  test("that fails leaves status=fail, at the same severity", async () => {
    const lines = linesOf(await scene(), "rcron").filter(({ message }) => message.endsWith("cmd=fail 7"));
    expect(lines.map(({ severity, message }) => [severity, message])).toEqual([
      ["info", "cluster=blue state=active status=start cmd=fail 7"],
      ["info", "cluster=blue state=active status=fail dur=0 cmd=fail 7"],
    ]);
  });

  test("shows the command's words in cmd= as cron's shell handed them over", async () => {
    const messages = linesOf(await scene(), "rcron").map(({ message }) => message);
    expect(messages).toContain("cluster=blue state=active status=start cmd=greet one two  three a*b /root");
    expect(messages).toContain(
      "cluster=blue state=active status=start cmd=echo shouted | tr a-z A-Z; exit 4",
    );
  });

  test("of one word is a line for the shell, and an assignment before the command is set for it", async () => {
    expect(mailAbout(await scene(), "rcron 'echo shouted | tr a-z A-Z; exit 4'").body).toBe("SHOUTED\n");
    expect(mailAbout(await scene(), "rcron NAME=value sh -c 'echo $NAME'").body).toBe("value\n");
  });

  test("hands on what stands behind % as the job's standard input", async () => {
    expect(mailAbout(await scene(), "rcron greet").body).toEndWith(`${"first line\nsecond line\n".length}\n`);
  });

  test("sees the crontab's own variables, and its PATH finds rcron and the job", async () => {
    expect(mailAbout(await scene(), "rcron env").body).toContain("GREETING=hello there\n");
    expect(mailAbout(await scene(), "rcron env").body).toContain("PATH=/run/jobs:/run/bin:/usr/bin:/bin\n");
  });

  test("causes no mail of its own", async () => {
    expect(mailsAbout(await scene(), "rcron tell-parent")).toEqual([]);
  });

  test("is mailed to MAILTO, and not at all where that is empty", async () => {
    expect(mailAbout(await scene(), "rcron echo for daemon")).toMatchObject({
      mailbox: "daemon",
      body: "for daemon\n",
    });
    expect(mailsAbout(await scene(), "rcron echo for nobody")).toEqual([]);
  });

  test("ends when the rcron that cron started gets TERM: the job is gone, the status is 143", async () => {
    const { files } = await scene();
    const ended = linesOf(await scene(), "rcron").findLast(({ pid }) => pid === files["long-parent"]?.trim());
    expect(ended?.message).toMatch(/^cluster=blue state=active status=fail dur=\d+ cmd=long$/);
    expect(failuresByCommand(await scene())).toMatchObject({ "rcron long": 143 });
  });

  test("called by an absolute link has the link's name as its tag", async () => {
    expect(linesOf(await scene(), "nightly").map(({ message }) => message)).toEqual([
      "cluster=blue state=active status=start cmd=true",
      "cluster=blue state=active status=ok dur=0 cmd=true",
    ]);
  });

  test.each(["rcronctl", "rcrond"])("called by the absolute link %s has that face", async (face) => {
    expect(mailAbout(await scene(), `/run/links/${face} --version`).body).toBe(`${face} ${version}\n`);
    expect(linesOf(await scene(), face)).toEqual([]);
  });

  test("runs in an unprivileged user's crontab as that user, with a mail and a log like root's", async () => {
    expect(mailAbout(await scene(), "rcron id -un")).toMatchObject({ mailbox: "daemon", body: "daemon\n" });
    const lines = linesOf(await scene(), "rcron").filter(({ message }) => message.endsWith("cmd=id -un"));
    expect(lines.map(({ facility, severity, message }) => [facility, severity, message])).toEqual([
      ["cron", "info", "cluster=blue state=active status=start cmd=id -un"],
      ["cron", "info", "cluster=blue state=active status=ok dur=0 cmd=id -un"],
    ]);
  });
});

describeOnPrivateHost("a crontab line with rcron, on a passive machine,", [...cronNeeds], () => {
  const scene = once(`${jobs}
conf 'cluster_name = blue' 'nice_level = 0'
state passive
${cronRuns({
  environment: ["PATH=/run/jobs:/usr/bin:/bin", "MAILTO=root"],
  lines: [
    "rcron ran one",
    "rcron 'ran two; echo loud'",
    "rcron fail 7",
    "rcron -- ran three%input",
    "ran four",
  ],
})}`);

  test("does not run its job, while the line without it runs", async () => {
    expect((await scene()).files).toEqual({ "ran-four": "ran\n" });
  });

  test("causes no mail", async () => {
    expect((await scene()).mails).toEqual([]);
  });

  test("succeeds", async () => {
    expect(failuresByCommand(await scene())).toEqual({});
  });

  test("leaves one line in syslog: facility, severity, tag and bytes", async () => {
    const lines = linesOf(await scene(), "rcron").toSorted((a, b) => a.message.localeCompare(b.message));
    expect<unknown>(lines).toEqual(
      ["fail 7", "ran one", "ran three", "ran two; echo loud"].map((command, index) => {
        const message = `cluster=blue state=passive status=ignore cmd=${command}`;
        const pid = lines[index]?.pid ?? "";
        return {
          facility: "cron",
          severity: "info",
          tag: "rcron",
          pid: expect.stringMatching(/^\d+$/),
          message,
          raw: datagram(78, "rcron", pid, message),
        };
      }),
    );
  });
});

describeOnPrivateHost("a crontab line with rcron, without its configuration,", [...cronNeeds], () => {
  const warning =
    "warning: no configuration at /etc/rcron/rcron.conf: going on with the defaults, which make this machine active unless its state file says otherwise";
  const scene = once(`${jobs}
state active
echo 'default_state = passive
state_file = /run/lost' >/run/lost.conf
${cronRuns({
  environment: ["PATH=/run/jobs:/usr/bin:/bin", "GREETING=hello"],
  lines: ["rcron greet", "rcron --conf /run/lost.conf ran lost", "rcron --conf /run/none.conf ran none"],
})}`);

  test("runs its job, and says so in the mail before the job's own output", async () => {
    expect(mailAbout(await scene(), "rcron greet").body).toBe(
      `rcron: ${warning}\nhello, grüße\nto stderr\n<>\n0\n`,
    );
  });

  test("docs/compatibility.md, warnings: is warned of in syslog, at severity warning, before the start line", async () => {
    const lines = linesOf(await scene(), "rcron");
    const of = lines.filter(({ pid }) => pid === lines.find(({ message }) => message === warning)?.pid);
    expect<unknown>(of.map(({ facility, severity, raw }) => [facility, severity, raw])).toEqual([
      ["cron", "warning", datagram(76, "rcron", "\\d+", warning)],
      [
        "cron",
        "info",
        datagram(78, "rcron", "\\d+", "cluster=default_cluster state=active status=start cmd=greet"),
      ],
      [
        "cron",
        "info",
        datagram(78, "rcron", "\\d+", "cluster=default_cluster state=active status=ok dur=0 cmd=greet"),
      ],
    ]);
  });

  test("but with a state file that is missing follows default_state, and warns in mail and syslog", async () => {
    const lost =
      "warning: can't read the state file /run/lost: no such file or directory: going on with default_state (passive)";
    const command = "rcron --conf /run/lost.conf ran lost";
    expect(mailAbout(await scene(), command).body.toLowerCase()).toBe(`rcron: ${lost}\n`);
    expect(failuresByCommand(await scene())).not.toHaveProperty([command]);
    const lines = linesOf(await scene(), "rcron").filter(({ message }) => message.endsWith("(passive)"));
    expect(lines.map(({ severity, message }) => [severity, message.toLowerCase()])).toEqual([
      ["warning", lost],
    ]);
  });

  test("named with --conf and missing runs nothing: mail, syslog at severity err, exit status 125", async () => {
    const command = "rcron --conf /run/none.conf ran none";
    const { body } = mailAbout(await scene(), command);
    expect(body).toStartWith("rcron: /run/none.conf: ");
    expect(failuresByCommand(await scene())).toMatchObject({ [command]: 125 });
    const [error] = linesOf(await scene(), "rcron").filter(({ severity }) => severity === "err");
    expect(error?.message).toBe(body.split("\n", 1)[0]?.replace("rcron: ", "error: "));
    expect((await scene()).files).toEqual({});
  });
});

describeOnPrivateHost("a crontab line with rcron, with a malformed configuration,", [...cronNeeds], () => {
  const scene = once(`${jobs}
conf '# ours' 'cluster_name = blue' 'nice_level = high'
state active
${cronRuns({ environment: ["PATH=/run/jobs:/usr/bin:/bin"], lines: ["rcron ran one", "rcron 'ran two'"] })}`);
  const complaint = '/etc/rcron/rcron.conf:3: nice_level must be an integer from -20 to 19: got "high"';

  test("runs nothing, and ends with 125", async () => {
    expect((await scene()).files).toEqual({});
    expect(failuresByCommand(await scene())).toEqual({ "rcron ran one": 125, "rcron 'ran two'": 125 });
  });

  test("says file, line, the offending text and what is allowed in the mail", async () => {
    expect(mailAbout(await scene(), "rcron ran one").body).toBe(`rcron: ${complaint}\n`);
  });

  test("says the same in syslog, at severity err", async () => {
    const lines = linesOf(await scene(), "rcron");
    expect(lines.map(({ facility, severity, message }) => [facility, severity, message])).toEqual([
      ["cron", "err", `error: ${complaint}`],
      ["cron", "err", `error: ${complaint}`],
    ]);
  });
});

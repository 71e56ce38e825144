/**
 * What is said to ssh and to a node's shell, and what they say: all that can be told without either.
 */
import { describe, expect, test } from "bun:test";
import { headerLine } from "../../src/execute/job-header.ts";
import { parseControlLine } from "../../src/execute/ssh/control-lines.ts";
import { MuxReader, sessionMessage } from "../../src/execute/ssh/mux-messages.ts";
import {
  followCommand,
  forgetCommand,
  helloCommand,
  isPlainFolder,
  standCommand,
  startCommand,
  stopCommand,
} from "../../src/execute/ssh/node-script.ts";
import {
  controlFolderLimit,
  controlSocketOf,
  masterWords,
  nodeInWords,
  sshWords,
} from "../../src/execute/ssh/node-terms.ts";
import { OutputStream } from "../../src/execute/ssh/output-stream.ts";
import { fateOf, whoIsThere } from "../../src/execute/ssh/remote-end.ts";
import { parseRemoteMark } from "../../src/execute/ssh/remote-mark.ts";
import { describeWith } from "../support/debian.ts";

const at = { fileId: "0123456789abcdef.1", token: "t0k", folders: ["/a/b", "/dev/shm/rcron-0"] };
const scripts: readonly [string, string][] = [
  ["hello", helloCommand("t0k")],
  ["start", startCommand({ ...at, inputBytes: 0, isStderrApart: false, setsid: "/usr/bin/setsid" })],
  [
    "start, apart, without setsid",
    startCommand({ ...at, inputBytes: 9, isStderrApart: true, setsid: undefined }),
  ],
  ["follow", followCommand(at, "e", { chunk: 3, offset: 17 })],
  ["stand", standCommand(at)],
  ["stop", stopCommand({ ...at, runId: "0123456789abcdef", graceTenths: 50 })],
  ["forget", forgetCommand(at.fileId, at.folders)],
];

describe("the scripts", () => {
  for (const [name, command] of scripts) {
    test(`${name}: every login shell reads the same words out of it`, () => {
      expect(command).not.toMatch(/\n|!(?! )/); // a "!" before a blank is none to csh
      expect(command.split("'").length).toBe(3); // one quoted word, and no quote in it
      expect(command).not.toMatch(/\\[\\']/); // fish would read these otherwise
    });

    for (const shell of ["dash", "bash"]) {
      test(`${name}: ${shell} finds nothing wrong with it`, () => {
        const [, script = ""] = command.split("'");
        const checked = Bun.spawnSync([shell, "-n", "-c", script]);
        expect(checked.stderr.toString()).toBe("");
        expect(checked.exitCode).toBe(0);
      });
    }
  }

  test("a header is one line, whatever is in it", () => {
    const header = headerLine({
      words: ["printf", "%s", "it's\na\n'word'"],
      environment: [{ name: "A", value: "x\ny" }],
      workingFolder: "/it's here",
      umask: 0o27,
      niceLevel: 5,
    });
    const text = Buffer.from(header).toString();
    expect(text.indexOf("\n")).toBe(text.length - 1);
    expect(text).toContain("umask 0027");
    expect(text).toContain('nice -n 5 "$@"');
  });

  test("isPlainFolder() takes no name that a shell would read otherwise", () => {
    for (const good of ["/root/.cache/rcron/runs", "/dev/shm/rcron-0"])
      expect(isPlainFolder(good)).toBe(true);
    for (const bad of ["", "relative", "/a b", "/a'b", "/a\nb", "/a$b", "/ä", "/a;b"])
      expect(isPlainFolder(bad)).toBe(false);
  });
});

describeWith("a folder for runs among everybody's", ["root", "unshare"], () => {
  /**
   * Asks this machine, with no home and folders of its own, and another one's hand in them.
   * @param plant what he does just before the folder is made
   * @returns the folders that are found, and the rights of ours
   */
  const foldersWith = (plant: string) => {
    const prepare = `mount -t tmpfs t /tmp; mount -t tmpfs t /dev/shm; mount -t tmpfs t /var/tmp; mkdir -m 755 /var/tmp/bin /var/tmp/ours
printf '#!/bin/sh\\n${plant}\\nexec /bin/mkdir "$@"\\n' >/var/tmp/bin/mkdir; chmod 755 /var/tmp/bin/mkdir
PATH=/var/tmp/bin:$PATH; unset HOME`;
    const script = `${prepare}\n( ${helloCommand("t0k")} ) 2>&1 | sed -n 's/^folder //p'; stat -c %a /var/tmp/ours`;
    const asked = Bun.spawnSync(["unshare", "-m", "sh", "-c", script], { timeout: 20_000 });
    return asked.stdout.toString().split("\n").filter(Boolean);
  };
  const all = ["/var/tmp/rcron-0", "/dev/shm/rcron-0"];

  test("is found", () => {
    expect(foldersWith(":")).toEqual([...all, "755"]);
  });

  test("is passed over where a link is put there between a look and the next, also one to a folder of ours", () => {
    const plant = "[ -e /var/tmp/rcron-0 ] || ln -s /var/tmp/ours /var/tmp/rcron-0";
    expect(foldersWith(plant)).toEqual(["/tmp/rcron-0", "/dev/shm/rcron-0", "755"]);
  });

  test("is passed over where it is another one's", () => {
    const plant = "[ -e /var/tmp/rcron-0 ] || { /bin/mkdir /var/tmp/rcron-0; chown 65534 /var/tmp/rcron-0; }";
    expect(foldersWith(plant)).toEqual(["/tmp/rcron-0", "/dev/shm/rcron-0", "755"]);
  });
});

describe("the words for ssh", () => {
  const ssh = { controlFolder: "/run/rcron/ssh" };

  test("a host is never taken for an option, and host keys are always checked", () => {
    const words = sshWords({ host: "-oProxyCommand=id" }, ssh, []);
    expect(words.slice(-2)).toEqual(["--", "-oProxyCommand=id"]);
    expect(words).toContain("StrictHostKeyChecking=yes");
    expect(sshWords({ host: "a", isNewHostKeyAccepted: true }, ssh, [])).toContain(
      "StrictHostKeyChecking=accept-new",
    );
    expect(words).toContain("BatchMode=yes");
  });

  test("nodeInWords() says whom a name means, where it does not say so itself", () => {
    expect(nodeInWords({ name: "web1", host: "127.0.0.1" })).toBe("web1 (127.0.0.1)");
    expect(nodeInWords({ name: "web1", host: "web1" })).toBe("web1");
    expect(nodeInWords({ host: "127.0.0.1" })).toBe("127.0.0.1");
  });

  test("what is left out is left to the user's configuration", () => {
    const words = masterWords({ host: "a" }, ssh, "/s");
    for (const word of ["-p", "-l", "-i", "-F"]) expect(words).not.toContain(word);
    const all = masterWords({ host: "a", port: 22, user: "u", keyFile: "/k", configFile: "/f" }, ssh, "/s");
    expect(all.join(" ")).toContain("-p 22 -l u -i /k -- a");
    expect(all.join(" ")).toContain("ssh -M -N -n -S /s -F /f");
  });

  test("a socket's path is taken as it is, also where it has what ssh would replace", () => {
    expect(masterWords({ host: "a" }, ssh, "/p%h/%%")).toContain("/p%%h/%%%%");
  });

  test("a socket's name is the same after a restart, another one for another node, and short enough to be bound", () => {
    const socket = controlSocketOf(ssh, { host: "a" }, 0);
    expect(controlSocketOf(ssh, { host: "a" }, 0)).toBe(socket);
    expect(controlSocketOf(ssh, { host: "a", port: 23 }, 0)).not.toBe(socket);
    const longest = controlSocketOf(
      { controlFolder: `/${"x".repeat(controlFolderLimit - 1)}` },
      { host: "a" },
      9,
    );
    expect(longest.length + ".0123456789abcdef".length).toBeLessThanOrEqual(107);
  });
});

describe("the messages of a shared connection", () => {
  test("MuxReader puts them together, wherever they were cut", () => {
    const hello = [0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4];
    const opened = [0, 0, 0, 12, 0x80, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1];
    const exit = [0, 0, 0, 12, 0x80, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 255];
    const refused = [0, 0, 0, 14, 0x80, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0x6e, 0x6f];
    const other = [0, 0, 0, 4, 0x80, 0, 0, 0x7f];
    const all = Uint8Array.from([...hello, ...opened, ...exit, ...refused, ...other]);
    const wanted = [
      { kind: "hello", version: 4 },
      { kind: "opened" },
      { kind: "exit", status: 255 },
      { kind: "refused", reason: "no" },
      { kind: "other" },
    ];
    for (let cut = 0; cut <= all.length; cut++) {
      const reader = new MuxReader();
      const first = reader.push(all.subarray(0, cut));
      const second = reader.push(all.subarray(cut));
      expect([...(first as object[]), ...(second as object[])]).toEqual(wanted);
    }
  });

  test("MuxReader takes no message that is none", () => {
    for (const bytes of [
      [0, 0, 0, 3, 0, 0, 0],
      [0xff, 0, 0, 0],
      [0, 0, 0, 4, 0, 0, 0, 1],
    ])
      expect(new MuxReader().push(Uint8Array.from(bytes))).toBe("invalid");
  });

  test("a request for a session has its own length in front, and the command's bytes", () => {
    const message = Buffer.from(sessionMessage("echo \udcff"));
    expect(message.readUInt32BE()).toBe(message.length - 4);
    expect(message.subarray(-6)).toEqual(Buffer.from([0x65, 0x63, 0x68, 0x6f, 0x20, 0xff]));
  });
});

describe("the lines of a node", () => {
  const stat = (pid: number, start: number, name = "sh") =>
    `${pid} (${name}) R 1 1 1 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 ${start} 2654208 435`;
  const lines: readonly [line: string, parsed: object | undefined][] = [
    ["boot ab-cd", { kind: "boot", bootId: "ab-cd" }],
    [`b ab ${stat(7, 99)}`, { kind: "begun", bootId: "ab", process: { pid: 7, startTicks: 99 } }],
    [`p ${stat(8, 100, "a) b (")}`, { kind: "started", process: { pid: 8, startTicks: 100 } }],
    ["p ", { kind: "started", process: { pid: 0, startTicks: 0 } }],
    [`alive p ${stat(8, 100)}`, { kind: "alive", who: "job", process: { pid: 8, startTicks: 100 } }],
    ["c o 0 16777216", { kind: "chunk", stream: "o", chunk: 0, bytes: 16_777_216 }],
    ["c o 0 1024", { kind: "chunk", stream: "o", chunk: 0, bytes: 1024 }],
    ["d e 2 0 ", { kind: "drained", stream: "e", chunk: 2, bytes: 0, isCut: false }],
    ["d o 2 5 cut", { kind: "drained", stream: "o", chunk: 2, bytes: 5, isCut: true }],
    ["x 255", { kind: "exit", status: 255 }],
    ["q 127", { kind: "not-started", status: 127 }],
    ["q 125 cd", { kind: "not-started", status: 125, isFolder: true }],
    ["q cd", { kind: "unclear" }],
    ["x 256", { kind: "unclear" }],
    ["q 256", { kind: "unclear" }],
    ["left 300", { kind: "left", count: 300 }],
    ["left 0", { kind: "left", count: 0 }],
    ["void", { kind: "void" }],
    ["x ", { kind: "unclear" }],
    ["x -1", { kind: "unclear" }],
    [`boot ${"a".repeat(101)}`, undefined],
    ["d y 0 0", undefined],
    ["c o x 1", undefined],
    ["c o 0 1023", undefined], // no file is full with fewer bytes than reads
    ["c o 0 16777217", undefined],
    ["d o 0 16777217", undefined],
    ["hello", undefined],
    ["", undefined],
  ];
  for (const [line, parsed] of lines) {
    test(`parseControlLine(${JSON.stringify(line.slice(0, 20))})`, () => {
      expect(parseControlLine(line)).toEqual(parsed as never);
    });
  }

  test("whoIsThere() takes nobody for the job who only has its pid, or lived before the node was started anew", () => {
    const [script, job] = [
      { pid: 7, startTicks: 99 },
      { pid: 8, startTicks: 100 },
    ];
    const facts = { boot: "a", begunBoot: "a", script, job, aliveScript: script, aliveJob: job };
    expect(whoIsThere(facts)).toEqual({ isScriptAlive: true, isJobAlive: true, wasStarted: true });
    expect(whoIsThere({ ...facts, boot: "b" })).toMatchObject({ isScriptAlive: false, isJobAlive: false });
    const later = { ...facts, aliveScript: { pid: 7, startTicks: 500 } };
    expect(whoIsThere(later)).toMatchObject({ isScriptAlive: false, isJobAlive: true });
  });
});

describe("fateOf()", () => {
  const [script, job] = [
    { pid: 7, startTicks: 99 },
    { pid: 8, startTicks: 100 },
  ];
  const begun = { boot: "a", begunBoot: "a", script };
  const fresh = { isStarted: false, isStopped: false };
  const rows: readonly [claim: string, ...given: Parameters<typeof fateOf>, fate: string][] = [
    ["the script waits for the job", { ...begun, job, aliveScript: script }, fresh, "alive"],
    ["the job is there alone", { ...begun, job, aliveJob: job }, fresh, "alive"],
    ["neither is, and it was started", { ...begun, job }, fresh, "unseen"],
    [
      "neither is, and it was heard before that it was started",
      begun,
      { ...fresh, isStarted: true },
      "unseen",
    ],
    ["the script died before it started anything", begun, fresh, "void"],
    ["the script is about to start it", { ...begun, aliveScript: script }, fresh, "alive"],
    [
      "the same, and it was stopped",
      { ...begun, aliveScript: script },
      { ...fresh, isStopped: true },
      "stopped",
    ],
    ["nothing was said of it: that proves nothing", { boot: "a" }, fresh, "silent"],
    ["nothing was said of it, and it was started", { boot: "a" }, { ...fresh, isStarted: true }, "unseen"],
  ];
  for (const [claim, facts, known, fate] of rows) {
    test(claim, () => expect(fateOf(facts, known)).toBe(fate as never));
  }
});

describe("OutputStream", () => {
  test("is complete when all that the node has told was had, over several files", () => {
    const stream = new OutputStream("o");
    stream.isFull(0, 10);
    stream.received(10);
    expect([stream.isAtChunkEnd, stream.isComplete]).toEqual([true, false]);
    stream.advance();
    stream.drained(1, 5, false);
    stream.received(4);
    expect(stream.isComplete).toBe(false);
    stream.received(1);
    expect([stream.isComplete, stream.position]).toEqual([true, { chunk: 1, offset: 5 }]);
  });
});

describe("parseRemoteMark()", () => {
  const mark = {
    runId: "0123456789abcdef",
    attempt: 2,
    isStderrApart: true,
    startedAtMs: 1000,
    isStarted: true,
    bootId: "ab",
    positions: { o: { chunk: 1, offset: 2 }, e: { chunk: 0, offset: 0 } },
  };

  test("gives back what was written", () => {
    expect(parseRemoteMark(JSON.stringify(mark))).toEqual(mark);
    const { bootId: _, ...without } = mark;
    expect(parseRemoteMark(JSON.stringify({ ...without, more: 1 }))).toEqual(without);
  });

  for (const [key, value] of [
    ["runId", "../../etc"],
    ["attempt", 0],
    ["positions", []],
    ["positions", { o: { chunk: -1, offset: 0 } }],
    ["isStarted", "yes"],
  ] as const) {
    test(`takes no ${key} of ${JSON.stringify(value)}`, () => {
      expect(parseRemoteMark(JSON.stringify({ ...mark, [key]: value }))).toBeUndefined();
    });
  }
});

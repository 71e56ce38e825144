/**
 * A job as a script for sh, what shells make of it, and what is read out of its output.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type CommandFacts, endOfCommand } from "../../src/execute/command-end.ts";
import type { Header } from "../../src/execute/job-header.ts";
import { jobScript, newScriptToken, readMark, type ScriptMark } from "../../src/execute/job-script.ts";
import { ScriptOutput } from "../../src/execute/script-output.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import { Problem } from "../../src/model/problem.ts";
import { encodeWord } from "../../src/model/raw-text.ts";
import { describeWith } from "../support/debian.ts";

setDefaultTimeout(60_000);

const plain: Header = {
  words: ["echo", "ran"],
  environment: [],
  workingFolder: undefined,
  umask: undefined,
  niceLevel: undefined,
};

/** All that a shell makes of a script. */
function fed(
  shell: readonly string[],
  script: Uint8Array,
): { output: Buffer; marks: ScriptMark[]; noise: string } {
  const { stdout } = Bun.spawnSync([...shell], { stdin: script, stderr: "ignore" });
  return read(stdout, token);
}

const token = newScriptToken();

function read(stdout: Uint8Array, of = token, cuts: readonly number[] = []) {
  const [output, noise, marks]: [Buffer[], Buffer[], ScriptMark[]] = [[], [], []];
  const reader = new ScriptOutput(of, {
    onBytes: (bytes) => output.push(Buffer.from(bytes)),
    onMark: (mark) => marks.push(mark),
    onNoise: (bytes) => noise.push(Buffer.from(bytes)),
  });
  let from = 0;
  for (const to of [...cuts, stdout.length]) {
    reader.push(stdout.slice(from, to));
    from = to;
  }
  reader.end();
  return { output: Buffer.concat(output), marks, noise: Buffer.concat(noise).toString() };
}

const shells: readonly (readonly [need: string, words: readonly string[]])[] = [
  ["dash", ["dash"]],
  ["bash", ["bash"]],
  ["busybox", ["busybox", "sh"]],
  ["zsh", ["zsh"]],
];

/** Numbers that are the same in each run. */
function randoms(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

for (const [need, shell] of shells) {
  describeWith(`a script, as ${shell.join(" ")} reads it`, [need], () => {
    test("runs the job, and tells its end, whatever the shell was told on its way", () => {
      for (const options of need === "zsh" ? [[]] : [[], ["-e"], ["-u"]]) {
        const failing = jobScript(token, { ...plain, words: ["sh", "-c", "echo out; exit 3"] }, undefined);
        const { output, marks } = fed([...shell, ...options], failing);
        expect(output.toString()).toBe("out\n");
        expect(marks).toEqual([{ kind: "begun" }, { kind: "ended", status: 3 }]);
      }
    });

    test("half a script is no job: cut anywhere, nothing of it runs", () => {
      const script = jobScript(token, plain, encodeWord("input"));
      expect(fed(shell, script).output.toString()).toBe("ran\n");
      for (let length = 0; length < script.length - 1; length += need === "dash" ? 1 : 7) {
        const { marks, output } = fed(shell, script.subarray(0, length));
        expect([length, marks.length, output.length]).toEqual([length, 0, 0]);
      }
    });

    test("the job reads its input in its very bytes, and nothing of the script", () => {
      const random = randoms(1);
      const inputs = [
        "",
        "no end of line",
        "-n",
        "%s %d %% \\n \\\\ \\045",
        "it's 'quoted'\n$HOME `id`\n",
        "EOF\n",
        "\udcff\udc80 é\r\n",
      ].map((text) => Buffer.from(encodeWord(text)));
      inputs.push(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
      inputs.push(Buffer.from(Array.from({ length: 300_000 }, () => random(256))));
      for (const input of inputs) {
        const { output, marks } = fed(shell, jobScript(token, { ...plain, words: ["cat"] }, input));
        expect(output.equals(input)).toBe(true);
        expect(marks.at(-1)).toEqual({ kind: "ended", status: 0 });
      }
      expect(fed(shell, jobScript(token, { ...plain, words: ["cat"] }, undefined)).output.length).toBe(0);
      const unread = jobScript(token, plain, inputs.at(-1));
      expect(fed(shell, unread).marks.at(-1)).toEqual({ kind: "ended", status: 0 });
    });

    test("words and values of any characters arrive as they are", () => {
      const random = randoms(2);
      const pieces = [
        "'",
        '"',
        "\\",
        "$",
        "`",
        "!",
        "\n",
        " ",
        "\t",
        "*",
        "~",
        "#",
        "-",
        "=",
        "%s",
        "é",
        "\udcff",
        "a",
        "$HOME",
        "\\n",
        "\r",
        "\x01",
      ];
      const word = () => Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join("");
      for (let round = 0; round < 8; round++) {
        const words = Array.from({ length: 40 }, word);
        const value = word();
        const script = jobScript(
          token,
          {
            ...plain,
            words: ["sh", "-c", 'printf "%s\\0" "$@" "$ODD_ONE"', "sh", ...words],
            environment: [{ name: "ODD_ONE", value }],
          },
          undefined,
        );
        const wanted = Buffer.concat([...words, value].map((one) => Buffer.from(encodeWord(`${one}\0`))));
        expect(fed(shell, script).output.equals(wanted)).toBe(true);
      }
    });

    test("folder, umask and priority are the job's", () => {
      const words = ["sh", "-c", "pwd; umask; nice"];
      const header = { ...plain, words, workingFolder: "/usr/bin", umask: 0o27, niceLevel: 3 };
      expect(fed(["nice", "-n", "0", ...shell], jobScript(token, header, undefined)).output.toString()).toBe(
        `/usr/bin\n0027\n${Number(Bun.spawnSync(["nice"]).stdout.toString()) + 3}\n`,
      );
    });

    const unstarted: readonly [why: string, header: Partial<Header>, status: number, isFolder?: true][] = [
      ["a program that is not there", { words: ["no-such-program"] }, 127],
      ["a path that is not there", { words: ["/no/such"] }, 127],
      ["a file that is no program", { words: ["/etc/passwd"] }, 126],
      ["a folder that is not there", { workingFolder: "/no/such" }, 125, true],
    ];
    for (const [why, header, status, isFolder] of unstarted) {
      test(`${why} is told apart from a job that ends so`, () => {
        const { marks } = fed(shell, jobScript(token, { ...plain, ...header }, undefined));
        expect(marks.slice(0, 2)).toEqual([
          { kind: "begun" },
          { kind: "not-started", status, ...(isFolder && { isFolder }) },
        ]);
        const ending = { ...plain, words: ["sh", "-c", `exit ${status}`] };
        expect(fed(shell, jobScript(token, ending, undefined)).marks.at(1)).toEqual({
          kind: "ended",
          status,
        });
      });
    }

    test("a signal is told by the status, and by no word on standard error", () => {
      const script = jobScript(token, { ...plain, words: ["sh", "-c", "kill -9 $$"] }, encodeWord("x"));
      const { stdout, stderr } = Bun.spawnSync([...shell], { stdin: script, stderr: "pipe" });
      expect(read(stdout).marks.at(-1)).toEqual({ kind: "ended", status: 137 });
      expect(stderr.toString()).toBe("");
    });

    test("without a job it only says that a shell is there", () => {
      const { marks, output } = fed(shell, jobScript(token, undefined, undefined));
      expect(marks).toEqual([{ kind: "begun" }, { kind: "ended", status: 0 }]);
      expect(output.length).toBe(0);
    });
  });
}

describe("ScriptOutput", () => {
  const said = (text: string) =>
    Buffer.from(text.replaceAll("@", token.text).replaceAll("&", token.text.slice(0, 20)), "latin1");
  const rows: readonly [stdout: string, output: string, noise: string, marks: string][] = [
    ["@b;\nout\n@x0;\n", "out\n", "", "begun ended"],
    ["banner\n@b;\nout@x0;\n", "out", "banner\n", "begun ended"],
    ["prompt> @b;\n\n@x255;\n", "\n", "prompt> ", "begun ended"],
    ["@b;\r\na\r\n@x1;\r\n", "a\r\n", "", "begun ended"], // a terminal between
    ["@b;\n@x0;", "", "", "begun ended"], // who takes a last line's end away
    ["@b;\n@x0;\nlate\n", "late\n", "", "begun ended"],
    ["@b;\n@q127;\n@x127;\n", "", "", "begun not-started ended"],
    ["@b;\n@z@x0;\n", "@z", "", "begun ended"],
    ["@b;\n@x999;@x3;\n", "@x999;", "", "begun ended"],
    ["@b;\n~", "~", "", "begun"],
    ["@b;\n~~~@x0;\n~~", "~~~~~", "", "begun ended"],
    ["@b;\nout\n@x1", "out\n", "", "begun"], // half a status is none
    ["@b;\nout\n&", "out\n", "", "begun"],
    ["no shell\n", "", "no shell\n", ""],
    ["", "", "", ""],
  ];
  for (const [stdout, output, noise, kinds] of rows) {
    test(`takes the marks out of ${JSON.stringify(stdout)}, wherever it is cut`, () => {
      const bytes = said(stdout);
      for (let first = 0; first <= bytes.length; first++) {
        for (const second of [first, Math.min(bytes.length, first + 1), bytes.length]) {
          const found = read(bytes, token, [first, second]);
          expect(found.output.equals(said(output))).toBe(true);
          expect(found.noise).toBe(noise);
          expect(found.marks.map(({ kind }) => kind).join(" ")).toBe(kinds);
        }
      }
    });
  }

  test("gives all bytes of any output as they are, however they come", () => {
    const random = randoms(3);
    for (let round = 0; round < 300; round++) {
      // Mostly pieces of what a mark is made of.
      const parts = Array.from({ length: random(20) }, () =>
        random(3) === 0
          ? token.bytes.subarray(0, random(token.bytes.length - 1))
          : Buffer.from(
              Array.from({ length: random(5) }, () => [0x7e, 0x0a, 0x0d, 0x00, 0x62, 0x3b][random(6)] ?? 0),
            ),
      );
      const output = Buffer.concat(parts);
      const all = Buffer.concat([said("noise@b;\n"), output, said("@x7;\n")]);
      const cuts = Array.from({ length: random(10) }, () => random(all.length)).sort((a, b) => a - b);
      const found = read(all, token, cuts);
      expect(found.output.equals(output)).toBe(true);
      expect(found.marks).toEqual([{ kind: "begun" }, { kind: "ended", status: 7 }]);
    }
  });

  test("holds nothing back but what may become a mark", () => {
    let given = "";
    const reader = new ScriptOutput(token, {
      onBytes: (bytes) => (given += Buffer.from(bytes).toString()),
      onMark: () => {},
      onNoise: () => {},
    });
    reader.push(said("@b;\nfirst\n"));
    expect(given).toBe("first\n");
    reader.push(said("prompt: "));
    expect(given).toBe("first\nprompt: ");
  });

  test("who shows the script says nothing by it", () => {
    const found = read(jobScript(token, plain, encodeWord("x")));
    expect(found.marks).toEqual([]);
  });
});

describe("readMark()", () => {
  const rows: readonly [text: string, read: unknown][] = [
    ["b;", { mark: { kind: "begun" }, length: 2 }],
    ["x0;\nmore", { mark: { kind: "ended", status: 0 }, length: 3 }],
    ["q127;", { mark: { kind: "not-started", status: 127 }, length: 5 }],
    ["q125f;", { mark: { kind: "not-started", status: 125, isFolder: true }, length: 6 }],
    ["q125f", "more"],
    ["x125f;", undefined],
    ["bf;", undefined],
    ["", "more"],
    ["x", "more"],
    ["x12", "more"],
    ["x1234", undefined],
    ["x;", undefined],
    ["b1;", undefined],
    ["x256;", undefined],
    ["x-1;", undefined],
    ["y0;", undefined],
  ];
  for (const [text, wanted] of rows) {
    test(`of ${JSON.stringify(text)}`, () => expect(readMark(Buffer.from(text))).toEqual(wanted as never));
  }
});

describe("endOfCommand()", () => {
  const facts: CommandFacts = {
    host: "web",
    words: ["docker", "exec"],
    workingFolder: "/w",
    program: { kind: "exited", exitCode: 1 },
    wasStopped: false,
    hasBegun: true,
    verdict: undefined,
    wasTaken: true,
    lastLine: "no such container",
  };
  const ended = (status: number): ScriptMark => ({ kind: "ended", status });
  const killed: Outcome = { kind: "signalled", signal: 15 };
  const missing: Outcome = {
    kind: "not-started",
    exitCode: 127,
    problem: new Problem("not-found", "not there"),
  };
  const unreachable = { kind: "not-started", exitCode: 125, problem: { code: "unreachable" } };
  const rows: readonly [claim: string, more: Partial<CommandFacts>, outcome: object][] = [
    [
      "what the script says counts, not the program's status",
      { verdict: ended(0) },
      { kind: "exited", exitCode: 0 },
    ],
    ["a status above 128 is a signal", { verdict: ended(137) }, { kind: "signalled", signal: 9 }],
    [
      "… also where the run was stopped",
      { verdict: ended(3), wasStopped: true },
      { kind: "exited", exitCode: 3 },
    ],
    [
      "… also where the program goes on",
      { verdict: ended(0), program: undefined },
      { kind: "exited", exitCode: 0 },
    ],
    [
      "not executed is not started",
      { verdict: { kind: "not-started", status: 127 } },
      { kind: "not-started", exitCode: 127 },
    ],
    [
      "… and a folder that is not to be had is told by its name",
      { verdict: { kind: "not-started", status: 125, isFolder: true } },
      { kind: "not-started", exitCode: 125, problem: { message: "it can't change to /w on web" } },
    ],
    ["a stopped program needs no other reason", { program: killed, wasStopped: true }, killed],
    [
      "… nor one that was stopped before anything began",
      { program: killed, wasStopped: true, hasBegun: false },
      killed,
    ],
    ["begun, and no end: nobody knows", {}, { kind: "unseen" }],
    ["… whatever the program's status", { program: { kind: "exited", exitCode: 127 } }, { kind: "unseen" }],
    ["the program is not there", { program: missing, hasBegun: false, wasTaken: false }, unreachable],
    ["not all of the script was taken: it can't have run", { hasBegun: false, wasTaken: false }, unreachable],
    [
      "the program says that there was no shell",
      { hasBegun: false, program: { kind: "exited", exitCode: 127 } },
      unreachable,
    ],
    ["all was taken, nothing was heard: it may have run", { hasBegun: false }, { kind: "unseen" }],
    [
      "… also if the program is content",
      { hasBegun: false, program: { kind: "exited", exitCode: 0 } },
      { kind: "unseen" },
    ],
    ["… and if it was killed, by whomever", { hasBegun: false, program: killed }, { kind: "unseen" }],
  ];
  for (const [claim, more, outcome] of rows) {
    test(claim, () => expect(endOfCommand({ ...facts, ...more }).outcome).toMatchObject(outcome as never));
  }

  test("says why, with the last line that the program printed and what can be tried by hand", () => {
    const { outcome } = endOfCommand({ ...facts, hasBegun: false, wasTaken: false });
    const problem = outcome.kind === "not-started" ? outcome.problem : undefined;
    expect(problem?.message).toBe(
      "web: the program docker ended with exit status 1 before the job was started: no such container",
    );
    expect(problem?.hint).toBe("echo hostname | docker exec");
    expect(endOfCommand({ ...facts, program: killed }).sentence).toBe(
      "web: the program docker ended with SIGTERM before it told how the job ended",
    );
  });
});

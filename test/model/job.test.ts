import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseCommand } from "../../src/model/job.ts";
import { Problem } from "../../src/model/problem.ts";

/** The command as one string: words between bars, or `sh` and the line. */
function told(words: string[], shell: "words" | "joined" = "words"): string {
  const parsed = parseCommand(words, shell);
  if (parsed instanceof Problem) return `refused: ${parsed.message}`;
  const set = parsed.environment.map(({ name, value }) => `${name}:=${value} `).join("");
  const command =
    parsed.command.kind === "words" ? parsed.command.words.join("|") : `sh ${parsed.command.line}`;
  return `${set}${command}`;
}

describe("parseCommand(): docs/compatibility.md, the command", () => {
  test.each([
    // words, command
    [["my-job"], "my-job"],
    [["my-job", "a", "b c"], "my-job|a|b c"],
    [["my-job", "*", "$HOME", "; rm -rf /"], "my-job|*|$HOME|; rm -rf /"],
    [["my-job", ""], "my-job|"],
    [["/opt/x/my-job"], "/opt/x/my-job"],
    [["a+b@c%d:e,f.g_h-i"], "a+b@c%d:e,f.g_h-i"],
    [["make-report | gzip"], "sh make-report | gzip"],
    [["my-job --flag"], "sh my-job --flag"],
    [["my-job\targ"], "sh my-job\targ"],
    [["a;b"], "sh a;b"],
    [["$JOB"], "sh $JOB"],
    [["~/bin/job"], "sh ~/bin/job"],
    [["/opt/jobs/*.sh"], "sh /opt/jobs/*.sh"],
    [["`x`"], "sh `x`"],
    [["a&"], "sh a&"],
    [["a>b"], "sh a>b"],
    [["it's"], "sh it's"],
    [["a | b", "c"], "a | b|c"],
    [["FOO=1", "my-job"], "FOO:=1 my-job"],
    [["FOO=1", "BAR=a b", "my-job", "BAZ=2"], "FOO:=1 BAR:=a b my-job|BAZ=2"],
    [["FOO=", "my-job"], "FOO:= my-job"],
    [["FOO=a=b", "my-job"], "FOO:=a=b my-job"],
    [["FOO=1", "a | b"], "FOO:=1 sh a | b"],
    [["_x9=\n", "my-job"], "_x9:=\n my-job"],
    [["9x=1", "my-job"], "9x=1|my-job"],
    [["a-b=1"], "a-b=1"],
    [["FOO=1 my-job"], "sh FOO=1 my-job"],
    [["FOO=$(x)"], "sh FOO=$(x)"],
    [["FOO=1"], "refused: no command given"],
    [[], "refused: no command given"],
  ] as [string[], string][])("%j is run as %j", (words, command) => {
    expect(told(words)).toBe(command);
  });

  test.each([
    [["my-job", "a", "b c"], "sh my-job a b c"],
    [["FOO=1", "my-job", "'x'"], "sh FOO=1 my-job 'x'"],
  ] as [string[], string][])("joined, %j is run as %j", (words, command) => {
    expect(told(words, "joined")).toBe(command);
  });

  test("several words come through untouched, whatever is in them", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1 }), (args) => {
        const parsed = parseCommand(["my-job", ...args], "words");
        expect(parsed).toMatchObject({
          name: "my-job",
          command: { kind: "words", words: ["my-job", ...args] },
        });
      }),
    );
  });

  test("it is total: any words give a command or a Problem", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary" })),
        fc.constantFrom("words", "joined"),
        (words, shell) => {
          const parsed = parseCommand(words, shell);
          expect(parsed instanceof Problem || parsed.name.length > 0).toBe(true);
        },
      ),
    );
  });
});

describe("a job's name", () => {
  test.each([
    ["/opt/x/my-job", "my-job"],
    ["my-job --flag | gzip", "my-job"],
    ["/opt/dir/", "job"],
    ["FOO=1 BAR=2 /opt/my-job x", "my-job"],
  ])("of %j is %j", (word, name) => {
    expect(parseCommand([word], "words")).toMatchObject({ name });
  });
});

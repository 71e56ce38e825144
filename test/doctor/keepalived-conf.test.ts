/** The parser of keepalived.conf: the syntax that keepalived was seen to follow, and that it is total. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type KeepalivedConf,
  parseKeepalivedConf,
  type Source,
  type Statement,
  splitScript,
} from "../../src/doctor/keepalived-conf.ts";
import { shipped } from "./fake-machine.ts";
import { anyText } from "./planted.ts";

function parse(text: string, files: Readonly<Record<string, string>> = {}): KeepalivedConf {
  const include = (pattern: string, folder: string): Source[] => {
    const path = pattern.startsWith("/") ? pattern : `${folder}/${pattern}`;
    return files[path] === undefined ? [] : [{ path, text: files[path] }];
  };
  return parseKeepalivedConf({ path: "/k/conf", text }, { configId: "alpha", include });
}

/** `${NAME}`, keepalived's and not this language's. */
const put = (name: string) => ["$", "{", name, "}"].join("");

type Shape = (string | Shape)[];

/** `[word, word, [block's statements]]`, for short. */
function shapeOf(statements: readonly Statement[]): Shape {
  return statements.map(({ words, block }) => [...words, ...(block === undefined ? [] : [shapeOf(block)])]);
}

describe("parseKeepalivedConf()", () => {
  const instance = [
    [
      "vrrp_instance",
      "A",
      [
        ["state", "BACKUP"],
        ["priority", "1"],
      ],
    ],
  ];
  test.each<[claim: string, text: string, statements: Shape]>([
    ["words and blocks", "vrrp_instance A {\n  state BACKUP\n\tpriority 1\n}\n", instance],
    ["a brace on a line of its own", "vrrp_instance A\n{\nstate BACKUP\npriority 1\n}", instance],
    ["a block on one line", "a { b c }", [["a", [["b", "c"]]]]],
    ["blocks in blocks on one line", "a { b { c } d }\ne", [["a", [["b", [["c"]]], ["d"]]], ["e"]]],
    ["glued braces", "a b{c}d", [["a", "b", [["c"]]], ["d"]]],
    ["an empty block", "a {\n}\nb", [["a", []], ["b"]]],
    ["a block without a name", "{ a }", [[[["a"]]]]],
    ["comments anywhere", "# a\na b # c\n! d\na!b {\nc#}\n", [["a", "b"], ["a"], ["c"]]],
    ["no comment in quotes", 'a "b # c ! d" e', [["a", "b # c ! d", "e"]]],
    ["quotes of both kinds, glued to words", 'a \'b "c" d\' x"y z"', [["a", 'b "c" d', "xy z"]]],
    ["an empty string", "a \"\" ''", [["a", "", ""]]],
    ["an escaped quote", 'a "b\\"c" d', [["a", 'b"c', "d"]]],
    ["braces in quotes", 'a "{b}"', [["a", "{b}"]]],
    ["carriage returns", "a b\r\nc\r\n", [["a", "b"], ["c"]]],
    ["a condition that is met", "@alpha a\n@^beta b", [["a"], ["b"]]],
    ["a condition that is not met", "@beta a\n@^alpha b\n@ c", []],
    ["a condition inside of a block", "a {\n@beta b\n@alpha c\n}", [["a", [["c"]]]]],
    [
      "definitions",
      `$A=1\n$B= ${put("A")}2 \na $A ${put("B")}x $Bx ${put("C")}`,
      [["a", "1", "12x", "$Bx", put("C")]],
    ],
    ["a definition in quotes", '$A=/x\na "$A b"', [["a", "/x b"]]],
    [
      "a definition that changes",
      "$A=1\na $A\n$A=2\na $A",
      [
        ["a", "1"],
        ["a", "2"],
      ],
    ],
    ["a definition under a condition", "@beta $A=1\n@alpha $A=2\na $A", [["a", "2"]]],
    ["a definition that brings a condition", "$IF=@beta\n$IF a\n$OK=@alpha\n$OK b", [["b"]]],
    ["what is defined beforehand", `a ${put("_PWD")}/x ${put("_INSTANCE")}`, [["a", "/k/x", "alpha"]]],
  ])("%s", (_, text, statements) => {
    expect(shapeOf(parse(text).statements)).toEqual(statements);
  });

  test("each statement has its line", () => {
    const { statements } = parse("\na {\n\n b c { d }\n}\n\ne");
    const lines = (list: readonly Statement[]): unknown[] =>
      list.flatMap(({ words, line, block }) => [`${words[0]}:${line}`, ...lines(block ?? [])]);
    expect(lines(statements)).toEqual(["a:2", "b:4", "d:4", "e:7"]);
  });

  test("an included file's statements stand where the include stands, with its own name and lines", () => {
    const files = { "/k/d/b": "b\ninclude c # deeper\n", "/k/d/c": "\nc" };
    const { statements, files: read, problems } = parse("a {\ninclude d/b\n}\ninclude /none", files);
    expect(statements[0]?.block?.map(({ words, file, line }) => [words[0], file, line])).toEqual([
      ["b", "/k/d/b", 1],
      ["c", "/k/d/c", 2],
    ]);
    expect(read).toEqual(["/k/conf", "/k/d/b", "/k/d/c"]);
    expect(problems).toEqual([{ file: "/k/conf", line: 4, what: "there is no file to include: /none" }]);
  });

  test.each<[text: string, line: number, what: string]>([
    ["a {\nb {\n}", 1, "the block of a is never closed"],
    ["a\n}", 2, "a } too many"],
    ['a "b\nc', 1, "a quote is not closed on its line"],
    ["include loop", 1, "/k/loop includes itself"],
  ])("%j is a problem", (text, line, what) => {
    const { problems } = parse(text, { "/k/loop": "include loop" });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ line, what });
  });

  test.each([
    ["$A= \\\nx \\\ny\nb", [["b"]], "a definition of several lines ($A)"],
    ["~SEQ(i, 1, 3) a $i\nb", [["b"]], "a ~SEQ block"],
  ])("%j is not followed, and said to be", (text, statements, what) => {
    const parsed = parse(text);
    expect(shapeOf(parsed.statements)).toEqual(statements);
    expect(parsed.notFollowed).toEqual([{ file: "/k/conf", line: 1, what }]);
  });

  test("ends for definitions and files that hold themselves, and for any number of lines", () => {
    expect(parse(`$A=x${put("A")}${put("A")} \na ${put("A")}`).statements).toHaveLength(1);
    const twice = "include x\ninclude y";
    const { statements, notFollowed } = parse("include x", { "/k/x": `${twice}\na`, "/k/y": `${twice}\nb` });
    expect(statements.length).toBeLessThan(20_000);
    expect(notFollowed.length).toBeLessThan(20_000);
    expect(parse("a\n".repeat(30_000)).notFollowed).toHaveLength(1);
  });

  test("is total: any text of any pieces gives a tree, and statements keep the order of their lines", () => {
    const piece = fc.constantFrom(
      ..."{ } \" ' # ! @ $ \\ = ~SEQ( ^".split(" "),
      ..."\n|\n|\n| | |\t|a|vrrp_instance|notify|alpha|$A=|$A |@alpha |include x|\ud800|\0".split("|"),
      put("A"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 120 }), (pieces) => {
        const { statements } = parse(pieces.join(""), { "/k/x": "x {\n$A=@beta\n" });
        let last = 0;
        const walk = (list: readonly Statement[], depth: number) => {
          expect(depth).toBeLessThan(130);
          for (const { file, line, block } of list) {
            if (file === "/k/conf") expect(line).toBeGreaterThanOrEqual(last);
            if (file === "/k/conf") last = line;
            walk(block ?? [], depth + 1);
          }
        };
        walk(statements, 0);
      }),
      { numRuns: 300 },
    );
  });

  test("any bytes as text give a tree", () => {
    fc.assert(fc.property(anyText, (text) => void parse(text)));
  });

  test.each(["two-machines", "three-machines", "unicast", "fifo"])(
    "etc/keepalived/%s.conf is understood whole",
    (name) => {
      const { statements, problems, notFollowed } = parse(shipped(`keepalived/${name}.conf`));
      expect([problems, notFollowed]).toEqual([[], []]);
      expect(statements.map(({ words }) => words)).toEqual([["global_defs"], ["vrrp_instance", "RCRON"]]);
    },
  );
});

describe("splitScript()", () => {
  test.each([
    ["/a b  c", ["/a", "b", "c"]],
    ["/a 'b # c' ! d", ["/a", "b # c", "!", "d"]],
    ['/a "b c" {d}', ["/a", "b c", "{d}"]],
    ["", []],
  ])("%j", (script, words) => {
    expect(splitScript(script)).toEqual(words);
  });
});

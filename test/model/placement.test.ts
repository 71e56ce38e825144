import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isNodeName, isSshHost, isSshUser, parsePort } from "../../src/model/node.ts";
import { parsePlacement, placementInWords } from "../../src/model/placement.ts";
import { Problem } from "../../src/model/problem.ts";

describe("parsePlacement()", () => {
  test.each([
    ["any", "any", []],
    ["all", "all", []],
    ["ordered of b,a", "ordered", ["b", "a"]],
    ["shuffle of web", "shuffle", ["web"]],
    ["any  of  web ,db1 db2,", "any", ["web", "db1", "db2"]],
    ["all of a,a,b,a", "all", ["a", "b"]],
    ["any of of", "any", ["of"]],
  ] as const)("%s", (text, policy, names) => {
    expect(parsePlacement(text, "on ")).toEqual({ policy, hosts: [], names, roles: [], earlierRuns: "node" });
  });

  test.each([
    ["", /^on must be any, all, ordered, shuffle/, undefined],
    ["Any", /got "Any"$/, "did you mean any?"],
    ["one of web", /got "one of web"$/, "did you mean any?"],
    ["clobber", /got "clobber"$/, "write all here, and overlap clobber on a line of its own"],
    ["any web", /got "any web"$/, "write: on any of web"],
    ["any for web", /got "any for web"$/, "write: on any of web"],
    ["any web db1", /got "any web db1"$/, "write: on any of web db1"],
    ["any for", /got "any for"$/, "write: on any of for"],
    ["any of", /^on must name 1 to 1000 roles and hosts behind "of"/, undefined],
    ["any of ,", /^on must name 1 to 1000/, undefined],
    [
      `any of ${Array.from({ length: 1001 }, (_, n) => `n${n}`).join(",")}`,
      /^on must name 1 to 1000/,
      undefined,
    ],
    ["any of web/1", /^a role's or host's name must be .*: got "web\/1"$/, undefined],
  ] as const)("%j is refused", (text, message, hint) => {
    const problem = parsePlacement(text, "on ");
    if (!(problem instanceof Problem)) throw new Error(JSON.stringify(problem));
    expect(problem.message).toMatch(message);
    expect(problem.hint).toBe(hint as string);
  });

  test("what it reads can be written and read again", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}$/);
    const names = fc.array(name, { maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom("any", "all", "ordered", "shuffle"), names, (policy, list) => {
        const text = list.length === 0 ? policy : `${policy} of ${list.join(",")}`;
        const placement = parsePlacement(text, "");
        if (placement instanceof Problem) throw placement;
        expect(parsePlacement(placementInWords(placement), "")).toEqual(placement);
      }),
    );
  });

  test("gives a placement or a Problem, whatever it reads", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const placement = parsePlacement(text, "on ");
        if (placement instanceof Problem) expect(placement.code).toBe("invalid");
        else for (const name of placement.names) expect(isNodeName(name)).toBe(true);
      }),
    );
  });
});

describe("what ssh is given", () => {
  test.each(["web1", "WEB-1.example.com", "10.0.0.1", "2001:db8::1", "fe80::1%eth0", "_sip"])(
    "host %s",
    (host) => {
      expect(isSshHost(host)).toBe(true);
    },
  );

  test.each(["", "-oProxyCommand=x", "a b", "a;b", "mona@web1", "a\n", "[::1]", "a/b", "x".repeat(256)])(
    "no host: %j",
    (host) => expect(isSshHost(host)).toBe(false),
  );

  test.each(["mona", "AD\\mona", "mona@ad.example", "_apt"])("user %s", (user) => {
    expect(isSshUser(user)).toBe(true);
  });

  test.each(["", "-l", "a b", "a'b", "a\n", "x".repeat(101)])("no user: %j", (user) => {
    expect(isSshUser(user)).toBe(false);
  });

  test.each([
    ["1", 1],
    ["022", 22],
    ["65535", 65_535],
    ["0", undefined],
    ["65536", undefined],
    ["", undefined],
    ["22 ", undefined],
    ["+22", undefined],
  ])("port %j", (text, port) => expect(parsePort(text)).toBe(port as number));
});

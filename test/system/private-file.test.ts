/** Which files may hold a secret. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { notReadable, whyNotPrivate } from "../../src/system/private-file.ts";
import { temporaryFolder } from "../support/program.ts";

describe("whyNotPrivate()", () => {
  const told = { subject: "a node's key", fileHint: "name the file of a private key" };
  const modes: readonly [mode: number, isExecutableTaken: boolean, message: string | undefined][] = [
    [0o600, false, undefined],
    [0o400, false, undefined],
    [0o000, false, undefined],
    [0o700, false, "of mode 0600 at most: it has 0700"],
    [0o700, true, undefined],
    [0o640, false, "of mode 0600 at most: it has 0640"],
    [0o640, true, "of mode 0600 at most: it has 0640"],
    [0o602, true, "of mode 0600 at most: it has 0602"],
    [0o610, true, "of mode 0600 at most: it has 0610"],
  ];
  for (const [mode, isExecutableTaken, rule] of modes) {
    const shown = mode.toString(8).padStart(4, "0");
    test(`of mode ${shown}${isExecutableTaken ? ", where its owner may execute it" : ""}`, () => {
      using folder = temporaryFolder();
      const path = join(folder.path, "secret");
      writeFileSync(path, "");
      chmodSync(path, mode);
      const problem = whyNotPrivate({ path, ...told, isExecutableTaken }, statSync(path));
      expect(problem?.message).toBe(rule && `${path}: a node's key must be ${rule}`);
      expect(problem?.hint).toBe(rule && `chmod 600 ${path}`);
    });
  }

  test("a folder, and another user's file, are told as what they are", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "folder");
    mkdirSync(path, { mode: 0o700 });
    expect(whyNotPrivate({ path, ...told }, statSync(path))).toMatchObject({
      code: "denied",
      message: `${path}: a node's key must be a regular file`,
      hint: "name the file of a private key",
    });
    const uid = (process.geteuid?.() ?? 0) + 4711;
    expect(whyNotPrivate({ path, ...told }, { isFile: () => true, mode: 0o600, uid })).toMatchObject({
      code: "denied",
      message: `${path}: a node's key must be root's or one's own: it is that of uid ${uid}`,
      hint: `chown root ${path}`,
    });
    expect(whyNotPrivate({ path, ...told }, { isFile: () => true, mode: 0o600, uid: 0 })).toBeUndefined();
  });

  test("notReadable() tells a file that is not there from one that is barred", () => {
    const of = (code: string) =>
      notReadable({ path: "/k", ...told }, Object.assign(new Error(code), { code }));
    expect(of("ENOENT").code).toBe("not-found");
    expect(of("ENOENT").message).toStartWith("/k: a node's key must be readable: ");
    expect(of("EACCES").code).toBe("denied");
  });
});

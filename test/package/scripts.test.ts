/** The scripts of the packages: clean, and each says who calls it. */
import { describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { project, run } from "../support/program.ts";

const scripts = [
  "etc/install.sh",
  ...["preinst", "postinst", "prerm", "postrm"].map((name) => `etc/debian/${name}`),
];
const bashFiles = [
  ...["rcron", "rcronctl", "rcrond"].map((face) => `etc/completion/${face}.bash`),
  "test/package/complete.bash",
];

describeWith("shellcheck", ["shellcheck"], () => {
  test.each([...scripts.map((script) => [script, "sh"]), ...bashFiles.map((file) => [file, "bash"])])(
    "finds nothing in %s, as %s",
    async (file, dialect) => {
      const { stdout } = await run(["shellcheck", "-s", dialect, "-e", "SC1091", join(project, file)]);
      expect(stdout).toBe("");
    },
  );
});

describe("etc/", () => {
  test.each(scripts)("%s is executable, and opens by saying where it goes and who calls it", (script) => {
    expect(statSync(join(project, script)).mode & 0o777).toBe(0o755);
    const text = readFileSync(join(project, script), "utf8");
    expect(text).toMatch(/^#!\/bin\/sh\n# [A-Z].*\n(# .*\n)*#\n# Goes to: {2}/);
    expect(text).toMatch(/^# Called: {3}/m);
  });
});

/** Users and groups, as the machine's own getent(1) has them. */
import { expect, test } from "bun:test";
import { findGroup, findUser } from "../../src/system/users.ts";
import { describeWith } from "../support/debian.ts";
import { run } from "../support/program.ts";

describeWith("findUser() and findGroup()", ["getent"], () => {
  test("find every group by name and by number, as getent does", async () => {
    const { stdout } = await run(["getent", "group"]);
    const groups = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(":"))
      .map(([name = "", , gid = ""]) => ({ name, gid: Number(gid) }));
    expect(groups.length).toBeGreaterThan(5);
    for (const group of groups) {
      expect(findGroup(group.name)).toEqual(group);
      expect(findGroup(String(group.gid))).toHaveProperty("gid", group.gid);
    }
  });

  test("find root", () => {
    expect(findUser("root")).toMatchObject({ name: "root", uid: 0, gid: 0 });
    expect(findUser("0")).toEqual(findUser("root"));
    expect(findGroup("0")).toEqual({ name: "root", gid: 0 });
  });

  test.each(["no-such-name", "4294967294", ""])("%j is nobody", (name) => {
    expect(findUser(name)).toBeUndefined();
    expect(findGroup(name)).toBeUndefined();
  });
});

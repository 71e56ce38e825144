/**
 * What a node's users have made of it: long banners, odd shells, files that print when a shell starts; and what of the environment here
 * reaches a job there.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { describeWith } from "../support/debian.ts";
import { fleetScene, jobOn } from "./fleet-scene.ts";
import { hostNames, needs, type ThreeHosts, threeHosts } from "./three-hosts.ts";

setDefaultTimeout(60_000);

const noisy = {
  sshd: "Banner /mnt/banner",
  prepare: `
for n in $(seq 10000); do echo "Permission denied $n"; done >/mnt/banner
mkdir -p $homes/fish/.config/fish
echo 'echo noise from fish; echo noise from fish >&2' >$homes/fish/.config/fish/config.fish
echo 'echo noise from bashrc; echo noise from bashrc >&2' >$homes/bash/.bashrc
echo 'echo noise from cshrc' >$homes/csh/.cshrc
`,
};

describeWith("nodes with odd shells", [...needs, "fish", "/bin/csh"], () => {
  let hosts: ThreeHosts;
  beforeAll(async () => {
    hosts = await threeHosts({ web1: noisy, web2: noisy, web3: noisy });
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  test("10,000 lines of banner, fish, csh, a .bashrc that prints: output and status are the job's alone", async () => {
    const users = { web1: "fish", web2: "csh", web3: "bash" } as const;
    await using it = fleetScene(hosts, {
      jobs: Object.fromEntries(
        hostNames.map((name) => [name, jobOn(`any of ${name}`, "echo out; echo err >&2; exit 3")]),
      ),
      nodes: { web1: ["user = fish"], web2: ["user = csh"], web3: ["user = bash"] },
    });
    await it.start();
    for (const name of hostNames) {
      const told = await it.once(name);
      expect(told).toMatchObject({ nodes: [`${name} failure 3`], end: { cause: "exit", exit: 3 } });
      expect(await it.output(told.run)).toBe("out\nerr\n");
      const ran = hosts[name].lines("ran", users[name]).filter((line) => line.startsWith(told.run));
      expect(ran).toHaveLength(1);
    }
  });

  test("a job has its own environment on a node, without AcceptEnv, and nothing of rcrond's", async () => {
    const odd = `it''s "odd" $HOME \\ !x * ü`;
    await using it = fleetScene(hosts, {
      jobs: {
        env: jobOn(
          "any of web1",
          "env -0 | sort -z | tr '\\0\\n' '\\n\\\\'; cat /proc/*/cmdline | tr '\\0' ' '; echo",
          `env ODD='${odd}'`,
          "env EMPTY=",
        ),
      },
      nodes: { web1: [] },
    });
    await it.start({ env: { API_TOKEN: "hush-hush", RCRON_HIDDEN: "hush-hush", LANG: "C.UTF-8" } });
    const told = await it.once("env");
    expect(told).toMatchObject({ isOk: true });
    const lines = (await it.output(told.run)).split("\n");
    const variables = new Map(
      lines.flatMap((line) => {
        const [, name = "", value = ""] = /^([A-Za-z_][A-Za-z_0-9]*)=(.*)$/.exec(line) ?? [];
        return name === "" ? [] : [[name, value] as const];
      }),
    );
    expect(lines.join("\n")).not.toContain("hush-hush");
    expect(variables.get("ODD")).toBe(odd);
    expect(variables.get("EMPTY")).toBe("");
    expect(variables.get("RCRON_RUN_ID")).toBe(told.run);
    expect(variables.get("RCRON_NODE")).toBe("web1");
    expect(variables.get("HOME")).toBe("/mnt/homes/sh");
    const ofShellAndSshd = ["HOME", "LOGNAME", "MAIL", "PATH", "PWD", "SHELL", "SHLVL", "USER", "_"];
    const foreign = [...variables.keys()].filter(
      (name) =>
        !/^(RCRON_(RUN_ID|NODE|ATTEMPT_ID|CLUSTER|STATE_EPOCH|TICK)|SSH_(CLIENT|CONNECTION)|ODD|EMPTY)$/.test(
          name,
        ) && !ofShellAndSshd.includes(name),
    );
    expect(foreign).toEqual([]);
    // What ps shows there has no value of it.
    const words = lines.filter((line) => !/^[A-Za-z_]\w*=/.test(line)).join(" ");
    expect(words).toContain("sshd");
    expect(words).not.toContain("odd");
  });
});

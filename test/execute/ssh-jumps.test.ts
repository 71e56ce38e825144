/** What is told when a node can't be reached because of a jump host on the way to it; each with the real programs. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { temporaryFolder } from "../support/program.ts";
import { type SshNode, startNode } from "./ssh-node.ts";
import { connectionTo, runThere } from "./ssh-scene.ts";

describeWith("a node behind jump hosts", ["root", "unshare", "sshd"], () => {
  const folder = temporaryFolder();
  const known = join(folder.path, "known");
  let gate: SshNode;
  let inner: SshNode;
  let node: SshNode;

  beforeAll(async () => {
    const banner = join(folder.path, "banner");
    writeFileSync(banner, "Connection is for those who may.\nAll is recorded here.\n");
    gate = await startNode(folder.path, { sshd: `Banner ${banner}` });
    inner = await startNode(folder.path, { sshd: "MaxAuthTries 2" });
    node = await startNode(folder.path);
  });
  afterAll(async () => {
    for (const each of [node, inner, gate]) await each[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const placeOf = ({ port }: SshNode) => `[127.0.0.1]:${port}`;
  const lineOf = ({ knownHosts }: SshNode) => readFileSync(knownHosts, "utf8").trim();
  /** Its line as it was before it was set up anew. */
  const formerLineOf = (host: SshNode) => {
    const [type, key] = readFileSync(join(host.folder, "user.pub"), "utf8").split(" ");
    return `${placeOf(host)} ${type} ${key}`;
  };

  interface Way {
    readonly lines: readonly string[];
    /** Of the node; else `ProxyJump gate`. */
    readonly way?: string;
    /** Of the gate. */
    readonly gateLines?: readonly string[];
    readonly gatePort?: number;
    readonly nodePort?: number;
  }

  /** A connection to "hidden", by a configuration and a known_hosts of that kind. */
  function through({ lines, way = "ProxyJump gate", gateLines = [], gatePort, nodePort }: Way) {
    const configFile = join(folder.path, "ssh_config");
    writeFileSync(known, `${lines.join("\n")}\n`);
    const hosts = [
      ["gate", gate, gatePort ?? gate.port, gateLines],
      ["inner", inner, inner.port, []],
      ["hidden", node, nodePort ?? node.port, [way]],
    ] as const;
    const text = hosts.map(([name, { keyFile }, port, more]) =>
      [
        `Host ${name}`,
        ...more,
        "HostName 127.0.0.1",
        `Port ${port}`,
        "User sh",
        `IdentityFile ${keyFile}`,
        "IdentitiesOnly yes\n",
      ].join("\n"),
    );
    writeFileSync(
      configFile,
      `${text.join("")}Host *\nUserKnownHostsFile ${known}\nGlobalKnownHostsFile /dev/null\n`,
    );
    return connectionTo(folder.path, node, "sh", {
      host: "hidden",
      port: undefined,
      keyFile: undefined,
      user: undefined,
      configFile,
    });
  }

  async function problemOf(way: Way) {
    const connection = through(way);
    const problem = await connection.open();
    await connection.close();
    return problem;
  }

  test("it is reached, when all is well", async () => {
    const connection = through({ lines: [lineOf(gate), lineOf(node)] });
    expect(await connection.open()).toBeUndefined();
    expect((await runThere(folder.path, connection, "echo in")).output).toBe("in\n");
    await connection.close();
  });

  describe("host keys", () => {
    const changed = "has changed: it is another machine, or set up anew";
    const itself = (who: string) => `, if that is its key, which only ${who} itself can tell: `;
    const byHand = "as the user that rcrond is: ssh -v hidden true";
    const rows: readonly [claim: string, way: () => Way, message: () => string, hint: () => string][] = [
      [
        "the jump host's, changed: its place and its line are named",
        () => ({ lines: [lineOf(node), formerLineOf(gate)] }),
        () => `the host key of ${placeOf(gate)}, on the way to hidden, ${changed}`,
        () => `replace line 2 of ${known}${itself("that host")}${lineOf(gate)}`,
      ],
      [
        "the jump host's, not known, where ssh says whose it is",
        () => ({ lines: [lineOf(node)], gateLines: ["StrictHostKeyChecking yes"] }),
        () => `the host key of ${placeOf(gate)}, on the way to hidden, is not known`,
        () => `add a line to ${known}${itself("that host")}${lineOf(gate)}`,
      ],
      [
        "the jump host's, not known, where ssh would have asked and names nobody",
        () => ({ lines: [lineOf(node)] }),
        () => `the host key of ${placeOf(gate)}, on the way to hidden, is not known`,
        () => `add a line to ${known}${itself("that host")}${lineOf(gate)}`,
      ],
      [
        "the jump host's, under an alias",
        () => ({ lines: [lineOf(node)], gateLines: ["HostKeyAlias Gate", "StrictHostKeyChecking yes"] }),
        () => "the host key of gate, on the way to hidden, is not known",
        () => `add a line to ${known}${itself("that host")}${lineOf(gate).replace(placeOf(gate), "gate")}`,
      ],
      [
        "the second jump host's, through the first one",
        () => ({ lines: [lineOf(gate), formerLineOf(inner), lineOf(node)], way: "ProxyJump gate,inner" }),
        () => `the host key of ${placeOf(inner)}, on the way to hidden, ${changed}`,
        () => `replace line 2 of ${known}${itself("that host")}${lineOf(inner)}`,
      ],
      [
        "a jump host's that only another one's configuration names",
        () => ({ lines: [formerLineOf(inner), lineOf(gate), lineOf(node)], gateLines: ["ProxyJump inner"] }),
        () => `the host key of ${placeOf(inner)}, on the way to hidden, ${changed}`,
        () => `replace line 1 of ${known}${itself("that host")}${lineOf(inner)}`,
      ],
      [
        "one of several jump hosts', and ssh names nobody",
        () => ({ lines: [lineOf(gate), lineOf(node)], way: "ProxyJump gate,inner" }),
        () => "the host key of a host on the way to hidden is not known",
        () => byHand,
      ],
      [
        "of a way that is a program",
        () => ({
          lines: [formerLineOf(gate), lineOf(node)],
          way: `ProxyCommand ssh -F ${join(folder.path, "ssh_config")} -W %h:%p gate`,
        }),
        () => `the host key of ${placeOf(gate)}, on the way to hidden, ${changed}`,
        () => `replace line 1 of ${known}`,
      ],
      [
        "the jump host's, revoked",
        () => ({ lines: [`@revoked ${lineOf(gate)}`, lineOf(node)] }),
        () => `${placeOf(gate)}, on the way to hidden, has a host key that was revoked`,
        () => "",
      ],
      [
        "the node's own, changed: its own line, had through the jump host",
        () => ({ lines: [lineOf(gate), formerLineOf(node)] }),
        () => `the host key of hidden ${changed}`,
        () => `replace line 2 of ${known}${itself("the node")}${lineOf(node)}`,
      ],
      [
        "the node's own, not known",
        () => ({ lines: [lineOf(gate)] }),
        () => "the host key of hidden is not known",
        () => `add a line to ${known}${itself("the node")}${lineOf(node)}`,
      ],
    ];
    for (const [claim, way, message, hint] of rows) {
      test(claim, async () => {
        const problem = await problemOf(way());
        expect(problem?.code).toBe("denied");
        expect(problem?.message).toBe(message());
        expect(problem?.hint ?? "").toBe(hint());
      });
    }
  });

  describe("ways that are dead", () => {
    const closed = 1; // nobody listens there
    const all = () => [lineOf(gate), lineOf(inner), lineOf(node)];
    const rows: readonly [claim: string, way: () => Way, why: string][] = [
      [
        "a jump host that does not answer",
        () => ({ lines: all(), gatePort: closed }),
        "ssh: connect to host 127.0.0.1 port 1: Connection refused",
      ],
      [
        "the first of two jump hosts",
        () => ({ lines: all(), gatePort: closed, way: "ProxyJump gate,inner" }),
        "ssh: connect to host 127.0.0.1 port 1: Connection refused",
      ],
      [
        "a node that does not answer its jump host",
        () => ({ lines: [...all(), `[127.0.0.1]:1 ${lineOf(node)}`], nodePort: closed }),
        "connect failed: Connection refused",
      ],
      [
        "a program that says why",
        () => ({ lines: all(), way: "ProxyCommand sh -c 'echo no such way >&2; exit 1'" }),
        "no such way",
      ],
    ];
    for (const [claim, way, why] of rows) {
      test(`${claim}: the reason is told, not that the connection was closed`, async () => {
        const problem = await problemOf(way());
        expect(problem?.code).toBe("unreachable");
        expect(problem?.message).toBe(`hidden can't be reached: ${why}`);
      });
    }

    test("a program that says nothing: ssh's own words are all that there is", async () => {
      const problem = await problemOf({ lines: all(), way: "ProxyCommand false" });
      expect(problem?.code).toBe("unreachable");
      expect(problem?.message).toMatch(/^hidden can't be reached: .*UNKNOWN port/);
    });
  });

  test("a node that closes at once, behind a jump host with a banner: the banner is no reason", async () => {
    using deaf = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.end();
        },
        data: () => {},
      },
    });
    const problem = await problemOf({ lines: [lineOf(gate)], nodePort: deaf.port });
    expect(problem?.code).toBe("unreachable");
    expect(problem?.message).toMatch(/^hidden can't be reached: .*UNKNOWN port/);
  });

  test("a node that lets us not in, and closes, is not taken for its jump host", async () => {
    const problem = await problemOf({
      lines: [lineOf(gate), lineOf(inner)],
      way: `ProxyJump gate\nIdentityFile ${gate.keyFile}`,
      nodePort: inner.port,
    });
    expect(problem?.code).toBe("denied");
    expect(problem?.message).toMatch(/^hidden does not let us in: .*UNKNOWN port .*Too many auth/);
  });

  test("a jump host that does not let us in is told as that, and no line of the node's is asked for", async () => {
    const problem = await problemOf({
      lines: [lineOf(gate), lineOf(node)],
      gateLines: [`IdentityFile ${inner.keyFile}`, "PubkeyAuthentication no"],
    });
    expect(problem).toMatchObject({
      code: "denied",
      message: expect.stringMatching(
        /^a host on the way to hidden does not let us in: sh@127\.0\.0\.1: Permission denied/,
      ),
      hint: "as the user that rcrond is: ssh -v hidden true",
    });
  });
});

/**
 * `rcronctl nodes test` before rcrond runs: the nodes of rcron.conf, each over a connection of its own that is closed again. What
 * counts is what this user may: his keys, his known_hosts, his ssh configuration.
 */
import { type Hosting, loadHosting, loadRemote, type RemoteRoom } from "../execute/execute.ts";
import { loadConf, readNodes } from "../gate/gate.ts";
import { nearestWord } from "../model/nearest-word.ts";
import type { Node } from "../model/node.ts";
import { quoted } from "../model/printable.ts";
import { Problem } from "../model/problem.ts";
import { Turns } from "../model/turns.ts";
import { baseEnvironment } from "./daemon-environment.ts";
import type { NodeTestListener } from "./test-nodes-report.ts";

/** As rcrond does it: each node is a process of ssh. */
const testedAtOnce = 16;
const testMs = 60_000;
/** Where there is room for a socket's address; others are too deep for it. */
const shortFolder = "/tmp";
const longestFolder = 40;

/** The signals that end the testing, and the exit status of each. */
const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** What is to be tested, and who is told. */
export interface TestingHere {
  /** `--conf`, where it was given. */
  readonly conf: string | true | undefined;
  /** Undefined: all. */
  readonly node: string | undefined;
  readonly listener: NodeTestListener;
  /** Aborted when nobody waits any more. */
  readonly stop: AbortController;
}

/**
 * Tests nodes from here, several at a time.
 * @returns undefined when all have been tested, an exit status where it was interrupted, or the Problem for which none could be
 */
export async function testNodesHere({
  conf,
  node,
  listener,
  stop,
}: TestingHere): Promise<number | undefined | Problem> {
  const loaded = loadConf(typeof conf === "string" ? conf : undefined);
  if (loaded instanceof Problem) return loaded;
  const known = await readNodes(loaded);
  if (known instanceof Problem) return known;
  const nodes = node === undefined ? known : known.filter(({ name }) => name === node);
  if (nodes.length === 0) return noSuchNode(node, known, loaded.path);

  let interrupted: number | undefined;
  const removers = Object.entries(endings).map(([signal, status]) => {
    const onSignal = () => {
      interrupted ??= status;
      stop.abort();
    };
    process.on(signal, onSignal);
    return () => process.off(signal, onSignal);
  });
  const folder = makeFolder();
  try {
    const room = await loadRemote();
    await listener.onNodes(nodes.map(({ name }) => name));
    // One line after the other, whichever node answers first.
    let told = Promise.resolve();
    const test = async (asked: Node) => {
      if (stop.signal.aborted) return;
      const sinceMs = performance.now();
      const problem = await testOne(room, asked, folder, stop.signal);
      if (stop.signal.aborted) return;
      const ms = Math.round(performance.now() - sinceMs);
      const { message: why, hint } = problem ?? {};
      const result = {
        node: asked.name,
        ms,
        ...(why !== undefined && { why }),
        ...(hint !== undefined && { hint }),
      };
      told = told.then(() => listener.onTest(result));
      await told;
    };
    const turns = new Turns(testedAtOnce);
    await Promise.all(nodes.map((asked) => turns.take(() => test(asked))));
    return interrupted;
  } finally {
    for (const remove of removers) remove();
    process.getBuiltinModule("node:fs").rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns why it is down */
async function testOne(
  room: RemoteRoom,
  { name, connection }: Node,
  controlFolder: string,
  stop: AbortSignal,
): Promise<Problem | undefined> {
  if (connection.kind === "local") return undefined;
  if (connection.kind === "command") {
    const { Hosting } = await loadHosting();
    const hosting = new Hosting({ baseEnvironment: baseEnvironment(process.env) });
    try {
      return await room.checkCommandNode(stoppable(hosting, stop), connection.words, name);
    } finally {
      hosting.close();
    }
  }
  const ours = new room.NodeConnection(connection, { controlFolder });
  try {
    return await ours.open(AbortSignal.any([stop, AbortSignal.timeout(testMs)]));
  } finally {
    await ours.close();
  }
}

/** What it runs is ended when nobody waits any more: a program that hangs must not stay behind. */
function stoppable(hosting: Hosting, stop: AbortSignal): Pick<Hosting, "prepare"> {
  return {
    prepare: (job, terms) => {
      const prepared = hosting.prepare(job, terms);
      return {
        ...prepared,
        run: ({ stop: own, ...start } = {}) => {
          if (own === undefined) return prepared.run(start);
          return prepared.run({ ...start, stop: { ...own, signal: AbortSignal.any([own.signal, stop]) } });
        },
      };
    },
  };
}

/** For the sockets of the connections: nobody else's, and under a name that nobody can know before. */
function makeFolder(): string {
  const fs = process.getBuiltinModule("node:fs");
  const usual = process.getBuiltinModule("node:os").tmpdir();
  const isFit = usual.startsWith("/") && Buffer.byteLength(usual) <= longestFolder;
  return fs.mkdtempSync(`${isFit ? usual : shortFolder}/rcron-`);
}

function noSuchNode(name: string | undefined, known: readonly Node[], path: string): Problem {
  if (known.length === 0) {
    return new Problem("not-found", `there are no nodes in ${path}`, {
      hint: "write a section [node NAME] into it; those of distcrond's files are tested by rcrond alone",
    });
  }
  const names = known.map((node) => node.name);
  const near = name === undefined ? undefined : nearestWord(name, names);
  return new Problem("not-found", `there is no node named ${quoted(name ?? "")} in ${path}`, {
    hint: near === undefined ? `there are ${names.slice(0, 10).join(", ")}` : `did you mean ${near}?`,
  });
}

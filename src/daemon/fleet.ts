/**
 * The nodes as they are: which are up, since when and why not, and what each of them runs.
 *
 * A node counts as up until it proves otherwise: when a run could not be started there, or when its connection is lost and can't be
 * opened again. A node that is down rests, and is asked again every so often, at growing distances, until it answers. Nobody
 * waits for that: whoever looks sees the state of the moment, and is told when it changes.
 */
import type { Node } from "../model/node.ts";
import type { Problem } from "../model/problem.ts";
import type { DaemonClock } from "./daemon-parts.ts";
import type { NodeState } from "./placement-plan.ts";

/** The way to a node. Nothing here throws or rejects. */
export interface NodeLink {
  /** Opens the connection where there is none. @returns why it can't be opened */
  open(): Promise<Problem | undefined>;
  /** Asks the node for a sign of life, through the connection. @returns why there is none */
  check(): Promise<Problem | undefined>;
  /** False where there is no connection, be it that none was needed so far. */
  readonly isOpen: boolean;
  /** True where runs go on without this process, and a later one finds them with their ends. */
  readonly outlives: boolean;
  close(): Promise<void>;
}

/** What a fleet needs. */
export interface FleetOptions<Link extends NodeLink> {
  readonly linkTo: (node: Node) => Link;
  /** How often nodes are looked at, in milliseconds: those that are down first after so long, and then at doubled distances. */
  readonly healthCheckMs: number;
  readonly clock: DaemonClock;
  readonly log: (level: "info" | "warning", sentence: string) => void;
  /** A node has come up or gone down, or has room again. */
  readonly onChange: () => void;
}

/** How a node is, for people. */
export interface NodeReport {
  readonly node: Node;
  readonly isUp: boolean;
  readonly isConnected: boolean;
  /** Since when it is up or down, as far as this daemon knows. */
  readonly sinceMs: number;
  /** Why it is down. */
  readonly problem: Problem | undefined;
  /** When it is asked again; undefined while it is up. */
  readonly nextCheckMs: number | undefined;
  readonly running: number;
}

const longestRestMs = 5 * 60_000;

interface Entry<Link> {
  node: Node;
  readonly link: Link;
  isUp: boolean;
  sinceMs: number;
  problem: Problem | undefined;
  /** Of the checks that failed in a row. */
  failures: number;
  nextCheckMs: number | undefined;
  timer: { cancel(): void } | undefined;
  isAsked: boolean;
  /** The runs that go on there: their ids, each with its job. */
  readonly runs: Map<string, string>;
}

/** All nodes. */
export class Fleet<Link extends NodeLink = NodeLink> {
  readonly #options: FleetOptions<Link>;
  readonly #entries = new Map<string, Entry<Link>>();
  /** Nodes as they were, whose runs still go on: their connections are closed with the last one. */
  readonly #former = new Set<Entry<Link>>();
  #timer: { cancel(): void } | undefined;
  #isClosed = false;

  constructor(options: FleetOptions<Link>) {
    this.#options = options;
  }

  /** Takes up the nodes as they are defined now. One that is reached in another way than before begins anew; its runs go on. */
  async setNodes(nodes: readonly Node[]): Promise<void> {
    const kept = new Set(nodes.map(({ name }) => name));
    const closing: (Promise<void> | undefined)[] = [];
    for (const [name, entry] of this.#entries) {
      if (kept.has(name)) continue;
      this.#entries.delete(name);
      closing.push(this.#retire(entry));
    }
    for (const node of nodes) {
      const before = this.#entries.get(node.name);
      if (before !== undefined && Bun.deepEquals(before.node.connection, node.connection)) {
        before.node = node;
        continue;
      }
      if (before !== undefined) closing.push(this.#retire(before));
      this.#entries.set(node.name, this.#comeBack(node) ?? this.#enter(node, this.#formerRuns(node.name)));
    }
    // In the order of the files, which is that of a role's nodes, whoever came first.
    for (const { name } of nodes) {
      const entry = this.#entries.get(name);
      this.#entries.delete(name);
      if (entry !== undefined) this.#entries.set(name, entry);
    }
    this.#timer ??= this.#options.clock.after(this.#options.healthCheckMs, () => this.#look());
    this.#options.onChange();
    await Promise.all(closing);
  }

  /** The nodes that are defined no more, and still have runs of a job. */
  formerNodesOf(job: string): string[] {
    const former = [...this.#former].filter(({ node, runs }) => {
      return !this.#entries.has(node.name) && [...runs.values()].includes(job);
    });
    return former.map(({ node }) => node.name);
  }

  /** What placement is planned with. @param job whose earlier runs are looked for @param run that is not one of them */
  statesFor(job: string, run: string): NodeState[] {
    return [...this.#entries.values()].map(({ node, isUp, problem, runs }) => ({
      node,
      isUp,
      downWhy: problem?.message,
      running: runs.size,
      runsJob: [...runs].some(([other, name]) => name === job && other !== run),
    }));
  }

  /** How each node is. */
  get reports(): NodeReport[] {
    return [...this.#entries.values()].map((entry) => ({
      node: entry.node,
      isUp: entry.isUp,
      isConnected: entry.link.isOpen,
      sinceMs: entry.sinceMs,
      problem: entry.problem,
      nextCheckMs: entry.nextCheckMs,
      running: entry.runs.size,
    }));
  }

  /** The node and the way to it; undefined where there is no such node any more. */
  find(name: string): { readonly node: Node; readonly link: Link } | undefined {
    return this.#entries.get(name);
  }

  /** Where each run goes on: the names of its nodes, by its id. */
  whereabouts(): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const [name, { runs }] of this.#entries) {
      for (const run of runs.keys()) {
        const nodes = found.get(run);
        if (nodes === undefined) found.set(run, [name]);
        else nodes.push(name);
      }
    }
    return found;
  }

  /** A run has begun on a node. */
  begin(name: string, run: string, job: string): void {
    this.#entries.get(name)?.runs.set(run, job);
  }

  /** It is over there. */
  end(name: string, run: string): void {
    let wasThere = this.#entries.get(name)?.runs.delete(run) === true;
    for (const former of this.#former) {
      if (former.node.name !== name || !former.runs.delete(run)) continue;
      wasThere = true;
      if (former.runs.size > 0) continue;
      this.#former.delete(former);
      void former.link.close();
    }
    if (wasThere) this.#options.onChange();
  }

  /** A run could not be started on a node: it is down from now on. @param link the way that it took; undefined: the present one */
  failed(name: string, problem: Problem, link?: Link): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined && (link === undefined || entry.link === link)) this.#down(entry, problem);
  }

  /**
   * Asks a node now, whatever is known of it.
   * @returns why it does not answer; `not-found` is the caller's to say
   */
  async test(name: string): Promise<Problem | undefined> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const problem = await signOfLife(entry.link);
    if (problem === undefined) this.#up(entry);
    else this.#down(entry, problem);
    return problem;
  }

  /** Ends all connections; what runs on the nodes goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const entry of this.#entries.values()) entry.timer?.cancel();
    await Promise.all([...this.#entries.values(), ...this.#former].map(({ link }) => link.close()));
  }

  /** @returns undefined where runs go on there: the last of them closes the connection */
  #retire(entry: Entry<Link>): Promise<void> | undefined {
    entry.timer?.cancel();
    if (entry.runs.size === 0) return entry.link.close();
    this.#former.add(entry);
    return undefined;
  }

  /** A node that is what it was before, while its runs went on: it goes on with the connection that they have. */
  #comeBack(node: Node): Entry<Link> | undefined {
    const former = [...this.#former].find((each) => {
      return each.node.name === node.name && Bun.deepEquals(each.node.connection, node.connection);
    });
    if (former === undefined) return undefined;
    for (const [run, job] of this.#formerRuns(node.name)) former.runs.set(run, job);
    this.#former.delete(former);
    return Object.assign(former, {
      node,
      isUp: true,
      problem: undefined,
      failures: 0,
      nextCheckMs: undefined,
    });
  }

  #formerRuns(name: string): ReadonlyMap<string, string> {
    return new Map(
      [...this.#former].filter(({ node }) => node.name === name).flatMap(({ runs }) => [...runs]),
    );
  }

  /** @param runs that go on there already */
  #enter(node: Node, runs: ReadonlyMap<string, string>): Entry<Link> {
    return {
      node,
      link: this.#options.linkTo(node),
      isUp: true,
      sinceMs: this.#options.clock.nowMs(),
      problem: undefined,
      failures: 0,
      nextCheckMs: undefined,
      timer: undefined,
      isAsked: false,
      runs: new Map(runs),
    };
  }

  /** Looks after the nodes that are up: one whose connection is lost while it has runs is opened again, or is down. */
  #look(): void {
    if (this.#isClosed) return;
    for (const entry of this.#entries.values()) {
      if (entry.isUp && entry.runs.size > 0 && !entry.link.isOpen) void this.#ask(entry);
    }
    this.#timer = this.#options.clock.after(this.#options.healthCheckMs, () => this.#look());
  }

  /** Whether it is up. */
  async #ask(entry: Entry<Link>): Promise<void> {
    if (entry.isAsked) return;
    entry.isAsked = true;
    const problem = await signOfLife(entry.link);
    entry.isAsked = false;
    if (this.#isClosed || this.#entries.get(entry.node.name) !== entry) return;
    if (problem === undefined) this.#up(entry);
    else this.#down(entry, problem);
  }

  #up(entry: Entry<Link>): void {
    entry.timer?.cancel();
    entry.failures = 0;
    entry.nextCheckMs = undefined;
    entry.problem = undefined;
    if (entry.isUp) return;
    entry.isUp = true;
    entry.sinceMs = this.#options.clock.nowMs();
    this.#options.log("info", `node ${entry.node.name} is up`);
    this.#options.onChange();
  }

  #down(entry: Entry<Link>, problem: Problem): void {
    const { clock, healthCheckMs, log, onChange } = this.#options;
    entry.problem = problem;
    const restMs = Math.min(healthCheckMs * 2 ** Math.min(entry.failures, 20), longestRestMs);
    entry.failures += 1;
    entry.nextCheckMs = clock.nowMs() + restMs;
    entry.timer?.cancel();
    entry.timer = clock.after(restMs, () => void this.#ask(entry));
    if (!entry.isUp) return;
    entry.isUp = false;
    entry.sinceMs = clock.nowMs();
    log("warning", `node ${entry.node.name} is down: ${problem.message}`);
    onChange();
  }
}

/** That there is a connection is no proof that the node does anything; one that was just made is. */
async function signOfLife(link: NodeLink): Promise<Problem | undefined> {
  const wasOpen = link.isOpen;
  return (await link.open()) ?? (wasOpen ? await link.check() : undefined);
}

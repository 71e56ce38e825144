/**
 * The ways to nodes: this machine itself, ssh, and programs that take a job on standard input. Each runs a part of a run under the
 * very supervision that every run has; what differs is who starts the job, and how it is found again.
 */
import type { NodeLink } from "../daemon/daemon.ts";
import type {
  Hosted,
  Hosting,
  HostingPorts,
  HostingRoom,
  NodeConnection,
  RemoteMark,
  RemoteRoom,
  RunMark,
  SupervisedJob,
} from "../execute/execute.ts";
import { count, flag, object, parseObject } from "../model/json-reader.ts";
import type { Node, SshConnection } from "../model/node.ts";
import type { Outcome } from "../model/outcome.ts";
import { Problem } from "../model/problem.ts";
import type { Rules } from "../model/rules.ts";
import type { Verdict } from "../model/state.ts";
import { type HerePlace, jobGoing, jobHere, jobThere, type NodePart } from "./due-job.ts";
import { isNotReached, type PartHosted, whyNotReached } from "./placed-end.ts";
import type { KnownRun } from "./run-teller.ts";

/** A part of a run, as it is given to a way. */
export interface PartRun {
  readonly known: KnownRun;
  readonly node: string;
  /** What another daemon has noted of it; undefined: it has not begun. */
  readonly noted: string | undefined;
  /** Must be kept before anything is begun, for a later daemon. */
  readonly note: (text: string) => void;
  readonly ports: Omit<HostingPorts, "hosting">;
  /** Asked right before a start: why it is not to be, by now. */
  readonly whyNot: () => Verdict | undefined;
}

/** A way to a node. Nothing here throws or rejects. */
export interface NodeWay extends NodeLink {
  run(part: PartRun): Promise<PartHosted>;
}

/** What the ways need. */
export interface WaySettings extends HerePlace {
  readonly room: HostingRoom;
  readonly hosting: Hosting;
  readonly remote: RemoteRoom;
  /** For the sockets of connections. */
  readonly controlFolder: string;
}

/** The way to a node. */
export function wayTo(node: Node, settings: WaySettings): NodeWay {
  const { connection } = node;
  if (connection.kind === "local") return new LocalWay(settings);
  if (connection.kind === "ssh") return new SshWay(node.name, connection, settings);
  return new CommandWay(node.name, connection.words, settings);
}

/** This machine. */
class LocalWay implements NodeWay {
  readonly isOpen = true;
  readonly outlives = false;
  readonly #settings: WaySettings;

  constructor(settings: WaySettings) {
    this.#settings = settings;
  }

  open = () => Promise.resolve(undefined);
  check = () => Promise.resolve(undefined);
  close = () => Promise.resolve();

  async run(part: PartRun): Promise<PartHosted> {
    const { hosting } = this.#settings;
    const what = jobHere(part.known, this.#settings, partOf(part));
    return runHere(part, what, { room: this.#settings.room, hosting });
  }
}

/** A program that takes the job on its standard input. */
class CommandWay implements NodeWay {
  readonly outlives = false;
  readonly #name: string;
  readonly #words: readonly [string, ...string[]];
  readonly #settings: WaySettings;
  /** False after a job did not get there, until a look has found it well. */
  #isWell = true;

  constructor(name: string, words: readonly [string, ...string[]], settings: WaySettings) {
    this.#name = name;
    this.#words = words;
    this.#settings = settings;
  }

  get isOpen(): boolean {
    return this.#isWell;
  }

  open(): Promise<Problem | undefined> {
    return this.#isWell ? Promise.resolve(undefined) : this.check();
  }

  async check(): Promise<Problem | undefined> {
    const { remote, hosting } = this.#settings;
    const problem = await remote.checkCommandNode(hosting, this.#words, this.#name);
    this.#isWell = problem === undefined;
    return problem;
  }

  close = () => Promise.resolve();

  async run(part: PartRun): Promise<PartHosted> {
    const { remote, hosting, room } = this.#settings;
    const what = jobThere(part.known, partOf(part), undefined, this.#settings.environment);
    const refused = part.noted === undefined ? await this.open() : undefined;
    if (refused !== undefined) return notBegun(unreachable(refused));
    const niceLevel = what instanceof Problem ? undefined : what.niceLevel;
    // That the program was started says nothing of the job.
    let hasBegun = part.noted !== undefined;
    const commandHosting = new remote.CommandHosting({
      hosting,
      words: this.#words,
      host: this.#name,
      niceLevel,
      onBegun: () => {
        hasBegun = true;
      },
    });
    // What runs behind the program may go on when the program has been ended.
    const unsure = {
      ...part,
      ports: {
        ...part.ports,
        isEndUnsure: true,
        mayGoElsewhere: (outcome: Outcome) => whyNotReached(outcome) !== undefined && !hasBegun,
      },
    };
    const end = {
      ...(await runHere(unsure, what, { room, hosting: commandHosting })),
      hasStarted: hasBegun,
    };
    if (isNotReached(end)) this.#isWell = false;
    return end;
  }
}

/** Over ssh. */
class SshWay implements NodeWay {
  readonly outlives = true;
  readonly #connection: NodeConnection;
  readonly #login: string | undefined;
  readonly #settings: WaySettings;

  constructor(name: string, connection: SshConnection, settings: WaySettings) {
    const { host, port, user, keyFile, passwordFile, isNewHostKeyAccepted } = connection;
    const { remote, controlFolder } = settings;
    this.#settings = settings;
    this.#login = user;
    this.#connection = new remote.NodeConnection(
      { name, host, port, user, keyFile, passwordFile, isNewHostKeyAccepted },
      { controlFolder },
    );
  }

  get isOpen(): boolean {
    return this.#connection.isUp;
  }

  open = () => this.#connection.open();
  close = () => this.#connection.close();

  async check(): Promise<Problem | undefined> {
    const problem = await this.#connection.check();
    // A connection through which nothing is answered is of no use to anybody: what runs there is picked up over the next one.
    if (problem !== undefined) await this.#connection.drop();
    return problem;
  }

  async run(part: PartRun): Promise<PartHosted> {
    const { room, remote } = this.#settings;
    const { due } = part.known;
    const noted = part.noted === undefined ? undefined : readSshNote(part.noted, remote);
    if (noted === "unreadable") return { hosted: unseen("what the book had of it can't be read"), ...begun };
    const resumed = noted?.mark;
    const isGoing = resumed !== undefined && resumed.isCondition !== true;
    if (due.job === undefined && !isGoing) return notBegun({ kind: "refused", problem: fileGone() });
    const wanted = jobThere(part.known, partOf(part), this.#login, this.#settings.environment);
    if (wanted instanceof Problem && !isGoing) return notBegun({ kind: "refused", problem: wanted });
    // What has begun goes on, whatever its file says by now; but it is not begun once more.
    const isResumeOnly = due.job === undefined || wanted instanceof Problem;
    const said = wanted instanceof Problem ? jobGoing(part.known, resumed?.runId ?? "") : wanted;
    const what = isResumeOnly ? { ...said, rules: { ...said.rules, retries: 0 } } : said;
    // Not each start that is counted came to anything: some were proved void.
    const hadStarted =
      (noted?.hasStarted ?? jobStarts(what, noted) > 0) ||
      (resumed?.isCondition !== true && resumed?.isStarted === true);
    if (resumed === undefined) {
      const refused = await this.#connection.open();
      // Where it waits for a retry, it has been started here, and no other node may have it.
      if (refused !== undefined) return { ...notBegun(unreachable(refused)), hasStarted: hadStarted };
      const verdict = part.whyNot();
      if (verdict !== undefined) return notBegun({ kind: "passive", verdict });
    }
    const hosting = new remote.RemoteHosting(resumed?.runId ?? what.runId, {
      connection: this.#connection,
      niceLevel: wanted instanceof Problem ? undefined : wanted.niceLevel,
      resumed,
      isResumeOnly,
      startsBefore: noted?.starts,
      onMark: (mark) => part.note(JSON.stringify({ mark, hasStarted: hasStarted() })),
    });
    const watched = watchStarts(hosting);
    const hasStarted = () => hadStarted || watched.hasStarted();
    const hosted = await room.superviseHosted(
      noted === undefined ? alone(what) : goingOn(alone(what), noted),
      {
        ...part.ports,
        hosting: watched,
        isResumed: isGoing,
        mayGoElsewhere: (outcome) => whyNotReached(outcome) !== undefined && !hasStarted(),
        onRetry: (attempt, delayMs, outcome) => {
          // Should this process be killed now, the next one starts it again.
          part.note(JSON.stringify({ starts: hosting.starts, hasStarted: hasStarted() }));
          part.ports.onRetry(attempt, delayMs, outcome);
        },
      },
    );
    return { hosted, conditionLost: watched.lost(), hasStarted: hasStarted() };
  }
}

/** What is noted of a part over ssh: the last start, or how many there were where the next one is waited for. */
interface SshNote {
  readonly mark: RemoteMark | undefined;
  readonly starts: number;
  /** Whether the job was started there, by what is noted or before it; undefined: nobody has noted it. */
  readonly hasStarted?: boolean | undefined;
}

function readSshNote(noted: string, { parseRemoteMark }: RemoteRoom): SshNote | "unreadable" {
  if (noted === "") return { mark: undefined, starts: 0 }; // about to begin
  const found = parseObject(noted);
  const hasStarted = flag(found?.["hasStarted"]);
  const starts = object({ starts: count })(found)?.starts;
  if (starts !== undefined) return { mark: undefined, starts, hasStarted };
  const mark = parseRemoteMark(JSON.stringify(found?.["mark"] ?? null));
  return mark === undefined ? "unreadable" : { mark, starts: 0, hasStarted };
}

/** A run that another daemon has begun: what is over is not done again, and what is left of time and retries is. */
function goingOn(what: SupervisedJob, { mark, starts }: SshNote): SupervisedJob {
  const { rules } = what;
  if (mark?.isCondition === true) {
    // What it said is had, or it is asked again.
    const saidYes = mark.end?.kind === "exited" && mark.end.number === 0;
    return saidYes ? { ...what, rules: { ...rules, condition: undefined } } : what;
  }
  const leftMs =
    rules.timeoutMs === undefined || mark === undefined
      ? rules.timeoutMs
      : Math.max(1, rules.timeoutMs - (Date.now() - mark.startedAtMs));
  const wasAsked = mark !== undefined || starts > 0;
  return {
    ...what,
    rules: {
      ...rules,
      timeoutMs: leftMs,
      graceMs: rules.graceMs ?? rules.timeoutMs,
      retries: Math.max(0, rules.retries - jobStarts(what, { mark, starts })),
      condition: wasAsked ? undefined : rules.condition,
    },
  };
}

/** How often the job was started before the start that is noted, or is waited for. */
function jobStarts({ rules }: SupervisedJob, noted: SshNote | undefined): number {
  if (noted === undefined || noted.mark?.isCondition === true) return 0;
  const before = noted.mark === undefined ? noted.starts : noted.mark.attempt - 1;
  return Math.max(0, before - (rules.condition === undefined || before === 0 ? 0 : 1));
}

/** Whose turn it is on a node, the placement has decided. */
function alone<What extends { readonly rules: Rules }>(what: What): What {
  return { ...what, rules: { ...what.rules, overlap: { mode: "allow" } } };
}

/** A part whose process is one of this machine. */
async function runHere(
  part: PartRun,
  what: SupervisedJob | Problem,
  { room, hosting }: { readonly room: HostingRoom; readonly hosting: HostingPorts["hosting"] },
): Promise<PartHosted> {
  const { known, noted, note, ports, whyNot } = part;
  if (noted !== undefined) {
    // What has begun goes on, whatever its file says by now.
    const going = what instanceof Problem ? jobGoing(known, partOf(part).attemptId) : what;
    return { hosted: await findAgain(going, noted, { room, ports }), ...begun };
  }
  if (what instanceof Problem) return notBegun({ kind: "refused", problem: what });
  const verdict = whyNot();
  if (verdict !== undefined) return notBegun({ kind: "passive", verdict });
  note("");
  const watched = watchStarts(hosting);
  const hosted = await room.superviseHosted(alone(what), {
    ...ports,
    hosting: watched,
    onLaunched: (mark) => note(JSON.stringify(mark)),
  });
  return { hosted, conditionLost: watched.lost(), hasStarted: watched.hasStarted() };
}

async function findAgain(
  what: SupervisedJob,
  noted: string,
  { room, ports }: { readonly room: HostingRoom; readonly ports: PartRun["ports"] },
): Promise<Hosted> {
  const mark: RunMark | undefined = noted === "" ? room.findRun(what.runId) : room.parseMark(noted);
  if (mark !== undefined) return room.adoptRun(alone(what), ports, mark);
  return unseen("rcrond was killed as it was about to start it");
}

/** It may have run, and nobody can tell how it ended. */
function unseen(sentence: string): Hosted {
  return { ...unwatched, outcome: { kind: "unseen" }, cause: "unseen", sentence };
}

/** What is known of a run that nobody has watched. */
const unwatched = {
  kind: "ended",
  isOk: false,
  attempts: 1,
  durationMs: 0,
  kept: undefined,
  isDetached: false,
  survivors: 0,
} as const;

const begun = { conditionLost: undefined, hasStarted: true } as const;

/** Nothing was begun. */
function notBegun(hosted: Hosted): PartHosted {
  return { hosted, conditionLost: undefined, hasStarted: false };
}

/** A hosting that remembers whether the job was started, and whether the node went away while its condition was asked. */
function watchStarts(hosting: HostingPorts["hosting"]) {
  let outcome: Outcome | undefined;
  let hasStarted = false;
  return {
    prepare: (...given: Parameters<HostingPorts["hosting"]["prepare"]>) => {
      const prepared = hosting.prepare(...given);
      return {
        ...prepared,
        run: async (start?: Parameters<typeof prepared.run>[0]) => {
          const isJob = start?.command === undefined;
          const onStarted = (pid: number | undefined) => {
            hasStarted ||= isJob;
            start?.onStarted?.(pid);
          };
          const ended = await prepared.run({ ...start, onStarted });
          if (!isJob) outcome = ended;
          return ended;
        },
      };
    },
    hasStarted: () => hasStarted,
    lost(): Problem | undefined {
      if (outcome?.kind !== "unseen") return whyNotReached(outcome);
      return new Problem("unreachable", "the connection was lost while the job's condition was asked");
    },
  };
}

/** There is no way to the node: nothing was started. */
function unreachable(problem: Problem): Hosted {
  const told =
    problem.code === "unreachable"
      ? problem
      : new Problem("unreachable", problem.message, problem.hint === undefined ? {} : { hint: problem.hint });
  return {
    ...unwatched,
    outcome: { kind: "not-started", exitCode: 125, problem: told },
    cause: "not-started",
    sentence: undefined,
  };
}

function partOf({ node, known }: PartRun): NodePart {
  const digest = new Bun.CryptoHasher("sha256").update(`${known.due.runId}\0${node}`).digest("hex");
  return { node, attemptId: digest.slice(0, 16) };
}

function fileGone(): Problem {
  return new Problem("not-found", "the job's file is gone, and nothing of it was going on here");
}

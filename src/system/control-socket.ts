/**
 * The socket on which `rcrond` answers `rcronctl`.
 *
 * Nothing that a client does reaches further than its own connection: requests are bounded in size and time, answers that
 * nobody takes are bounded and then dropped with their reader, and whoever asks is who the kernel says he is. The daemon
 * holds a lock besides, so that two of them never look at the same socket at the same moment.
 */

import { Problem } from "../model/problem.ts";
import { type Answering, Client, type ControlBounds, refused } from "./control-connection.ts";
import { makeFolder } from "./files.ts";
import { thrownSystemError } from "./libc.ts";
import { isPeerInGroup, peerOf } from "./peer.ts";
import { fitsSocket, probeSocket, socketPathLimit } from "./unix-address.ts";

export type { ControlBounds, ControlHandler } from "./control-connection.ts";

const usualBounds: ControlBounds = {
  requestMs: 10_000,
  stallMs: 30_000,
  waitingBytes: 4 * 1024 * 1024,
  connections: 100,
  closeMs: 1000,
};

/** Where to listen, and for whom. Root and the daemon's own user may always ask. */
export interface ControlOptions extends Answering {
  readonly path: string;
  /** Another user who may ask, and who owns the socket. */
  readonly ownerUid?: number | undefined;
  /** A group whose members may ask. */
  readonly groupGid?: number | undefined;
  readonly bounds?: Partial<ControlBounds>;
}

/** A socket that is listened on. */
export interface ControlServer {
  /**
   * Takes no more requests and removes the socket; tells clients that still wait that the daemon ends, and resolves when all
   * have their last line, or a second has gone.
   */
  close(): Promise<void>;
}

/**
 * Listens. The folder is made if it is missing: mode 0755, for an ordinary user's daemon without a group 0700. The socket
 * has mode 0600 from its first moment on, and 0660 once it belongs to the group. A socket on which nobody listens any
 * more is replaced.
 * @returns the Problem `conflict` where somebody else listens or something else is in the way, `invalid` for a path that is no
 *   socket's, `denied` or `internal` with the system's reason
 */
export function listenForControl(options: ControlOptions): ControlServer | Problem {
  const { path, ownerUid, groupGid } = options;
  const fs = process.getBuiltinModule("node:fs");
  if (!fitsSocket(path)) {
    return new Problem("invalid", `must be an absolute path of at most ${socketPathLimit} bytes`, {
      where: path,
    });
  }
  const clients = new Clients(options);
  let listener: Bun.UnixSocketListener<Client>;
  try {
    makeSocketFolder(path.slice(0, path.lastIndexOf("/")), groupGid !== undefined);
    const obstacle = clearWay(path);
    if (obstacle !== undefined) return obstacle;
    const umask = process.umask(0o177);
    try {
      listener = Bun.listen<Client>({ unix: path, socket: clients.handlers });
    } finally {
      process.umask(umask);
    }
  } catch (error) {
    return refusal(path, error);
  }
  try {
    if (ownerUid !== undefined || groupGid !== undefined) fs.lchownSync(path, ownerUid ?? -1, groupGid ?? -1);
    if (groupGid !== undefined) fs.chmodSync(path, 0o660);
  } catch (error) {
    listener.stop(true);
    return refusal(path, error);
  }
  return {
    close: async () => {
      listener.stop(); // removes the file as well
      await clients.dismiss();
    },
  };
}

function makeSocketFolder(folder: string, isShared: boolean): void {
  if (isShared || process.geteuid?.() === 0) makeFolder(folder);
  else process.getBuiltinModule("node:fs").mkdirSync(folder || "/", { recursive: true, mode: 0o700 });
}

/** Removes the socket of a daemon that is no more. @throws the system's error */
function clearWay(path: string): Problem | undefined {
  const fs = process.getBuiltinModule("node:fs");
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isSocket()) {
    return new Problem("conflict", "must be a socket: something else is in its place", { where: path });
  }
  const state = probeSocket(path);
  if (state === "live") {
    return new Problem("conflict", "another process listens on this socket", {
      where: path,
      hint: "rcronctl status asks it who it is",
    });
  }
  if (typeof state === "object") {
    return new Problem("denied", `it must be possible to ask who listens: ${state.text}`, { where: path });
  }
  if (state === "dead") fs.unlinkSync(path);
  return undefined;
}

function refusal(path: string, error: unknown): Problem {
  const { code, text } = thrownSystemError(error);
  const isDenied = code === "EACCES" || code === "EPERM" || code === "EROFS";
  return new Problem(isDenied ? "denied" : "internal", `the socket can't be made: ${text}`, {
    where: path,
    cause: error,
  });
}

/** All connections of a socket. */
class Clients {
  readonly #options: ControlOptions;
  readonly #bounds: ControlBounds;
  readonly #all = new Set<Client>();

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#bounds = { ...usualBounds, ...options.bounds };
  }

  /** What the runtime calls. It hands on no exception to the daemon: each is told, and ends its connection alone. */
  readonly handlers = {
    open: (socket: Bun.Socket<Client>) => this.#guarded(socket, () => this.#open(socket)),
    data: (socket: Bun.Socket<Client>, bytes: Uint8Array) =>
      this.#guarded(socket, () => socket.data.receive(bytes)),
    drain: (socket: Bun.Socket<Client>) => this.#guarded(socket, () => socket.data.flush()),
    close: (socket: Bun.Socket<Client>) => this.#guarded(socket, () => this.#forget(socket.data)),
    error: (socket: Bun.Socket<Client>) => socket.terminate(), // a broken connection; `close` follows
  };

  async dismiss(): Promise<void> {
    for (const client of this.#all) client.finish(refused("unreachable", "rcrond ends"));
    const endMs = performance.now() + this.#bounds.closeMs;
    while (this.#all.size > 0 && performance.now() < endMs) await Bun.sleep(10);
    for (const client of this.#all) client.drop();
  }

  #open(socket: Bun.Socket<Client>): void {
    const peer = peerOf(descriptorOf(socket));
    const client = new Client(socket, peer, this.#options, this.#bounds);
    socket.data = client;
    this.#all.add(client);
    if (peer === undefined || !this.#isAllowed(socket, peer.uid)) {
      client.finish(
        refused(
          "denied",
          "only root, rcrond's own user and those whom socket_owner and socket_group name may ask",
        ),
      );
    } else if (this.#count() > this.#bounds.connections) {
      client.finish(refused("conflict", `rcrond answers ${this.#bounds.connections} at a time: try again`));
    }
  }

  /** Those who have been refused are still there for a moment, and keep nobody out. */
  #count(): number {
    let count = 0;
    for (const client of this.#all) if (!client.isEnding) count++;
    return count;
  }

  #isAllowed(socket: Bun.Socket<Client>, uid: number): boolean {
    const { ownerUid, groupGid } = this.#options;
    if (uid === 0 || uid === process.geteuid?.() || uid === ownerUid) return true;
    return groupGid !== undefined && isPeerInGroup(descriptorOf(socket), groupGid);
  }

  #forget(client: Client | undefined): void {
    if (client === undefined) return; // The connection ended before it was taken up.
    this.#all.delete(client);
    client.leave();
  }

  #guarded(socket: Bun.Socket<Client>, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.onFault?.(error);
      socket.terminate();
    }
  }
}

/** The runtime has it, and its types leave it out. */
function descriptorOf(socket: object): number {
  return "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1;
}

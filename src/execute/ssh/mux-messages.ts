/**
 * The messages between an OpenSSH client that shares its connection (ControlMaster) and those who use it: as bytes and back.
 * Each has its length and its type in front; numbers have 32 bits, the high one first, strings their length in front.
 *
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.mux
 */
import { encodeWord } from "../../model/raw-text.ts";

/** The only version that there is, since OpenSSH 5.4 (2010). */
const protocolVersion = 4;
const HELLO = 0x00000001;
const NEW_SESSION = 0x10000002;
const ALIVE_CHECK = 0x10000004;
const TERMINATE = 0x10000005;
const PERMISSION_DENIED = 0x80000002;
const FAILURE = 0x80000003;
const EXIT_MESSAGE = 0x80000004;
const ALIVE = 0x80000005;
const SESSION_OPENED = 0x80000006;
/** Instead of a character that would be taken for an escape. */
const noEscape = 0xffffffff;
/** None of its answers comes near this. */
const messageLimit = 64 * 1024;

/** What the master says. */
export type MuxAnswer =
  | { readonly kind: "hello"; readonly version: number }
  | { readonly kind: "opened" }
  /** It can't or must not open the session; nothing was started. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The session's program has ended, on the node. */
  | { readonly kind: "exit"; readonly status: number }
  | { readonly kind: "alive"; readonly pid: number }
  /** Something that says nothing to us. */
  | { readonly kind: "other" };

/** To be sent first, and to be had first. */
export function helloMessage(): Uint8Array {
  return message(HELLO, [protocolVersion]);
}

/** True for the hello of a master that we can talk to. */
export function isOurVersion(answer: MuxAnswer): boolean {
  return answer.kind === "hello" && answer.version === protocolVersion;
}

/** Asks for a session that runs a command; three descriptors are to follow. */
export function sessionMessage(command: string): Uint8Array {
  const [request, tty, x11, agent, subsystem] = [0, 0, 0, 0, 0];
  return message(NEW_SESSION, [request, "", tty, x11, agent, subsystem, noEscape, "", command]);
}

/** Asks whether the master is there. */
export function aliveMessage(): Uint8Array {
  return message(ALIVE_CHECK, [0]);
}

/** Asks the master to end. */
export function terminateMessage(): Uint8Array {
  return message(TERMINATE, [0]);
}

function message(type: number, parts: readonly (number | string)[]): Uint8Array {
  const encoded = parts.map((part) => {
    if (typeof part === "number") return number(part);
    const bytes = encodeWord(part);
    return Buffer.concat([number(bytes.length), bytes]);
  });
  const body = Buffer.concat([number(type), ...encoded]);
  return Buffer.concat([number(body.length), body]);
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Puts the master's messages together from what comes of them. */
export class MuxReader {
  #unread: Buffer = Buffer.alloc(0);

  /** @returns those that are whole now; `invalid` where it is no message, and nothing may be pushed after that */
  push(bytes: Uint8Array): MuxAnswer[] | "invalid" {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    const answers: MuxAnswer[] = [];
    while (this.#unread.length >= 4) {
      const length = this.#unread.readUInt32BE();
      if (length < 4 || length > messageLimit) return "invalid";
      if (this.#unread.length < 4 + length) break;
      const answer = parse(this.#unread.subarray(4, 4 + length));
      if (answer === undefined) return "invalid";
      answers.push(answer);
      this.#unread = this.#unread.subarray(4 + length);
    }
    return answers;
  }
}

function parse(body: Buffer): MuxAnswer | undefined {
  const type = body.readUInt32BE();
  const at = (offset: number) => (body.length >= offset + 4 ? body.readUInt32BE(offset) : undefined);
  if (type === SESSION_OPENED) return { kind: "opened" };
  if (type === HELLO) {
    const version = at(4);
    return version === undefined ? undefined : { kind: "hello", version };
  }
  if (type === EXIT_MESSAGE) {
    const status = at(8);
    return status === undefined ? undefined : { kind: "exit", status };
  }
  if (type === ALIVE) {
    const pid = at(8);
    return pid === undefined ? undefined : { kind: "alive", pid };
  }
  if (type === PERMISSION_DENIED || type === FAILURE) {
    const length = at(8) ?? 0;
    return { kind: "refused", reason: body.toString("utf8", 12, 12 + length) };
  }
  return { kind: "other" };
}

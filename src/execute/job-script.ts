/**
 * A job as a script for sh's standard input, and the marks by which its output tells what became of it.
 *
 * The whole of it is one command, so that a shell which was given less than all of it finds a mistake and runs nothing: half a
 * job is another job. For the same reason the shell has read all of it before the job starts, and the job, which has a standard
 * input of its own, can't take the rest of it away.
 *
 * Between the output of the job, and of whatever brings it, the script says three things, each a mark of its own:
 *
 * - `b`: the shell is there, and begins. What was printed before is nobody's output;
 * - `x STATUS`: the job has ended;
 * - `q STATUS`: it was not started, for the reason that a shell gives by that status; `f` behind it: its folder is not to be had.
 *
 * A mark holds a token that nobody can know, and is found wherever it stands: at the end of a line that has no end, or behind what
 * a program puts before each line. The script has the token in two pieces, so that who prints the script says nothing by it.
 */
import { encodeWord } from "../model/raw-text.ts";
import { type Header, headerLine } from "./job-header.ts";

/** What a mark begins with. The character in front seldom ends a line or a prompt, which would have to wait for what follows. */
export interface ScriptToken {
  readonly text: string;
  /** The bytes of it that are searched for. */
  readonly bytes: Uint8Array;
}

/** What a mark says. */
export type ScriptMark =
  | { readonly kind: "begun" }
  | { readonly kind: "ended"; readonly status: number }
  | { readonly kind: "not-started"; readonly status: number; readonly isFolder?: true };

/** No mark is longer, behind its token. */
export const markLimit = 8;

/** A token that no output has by chance. */
export function newScriptToken(): ScriptToken {
  const text = `~${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex")}~`;
  return { text, bytes: encodeWord(text) };
}

/**
 * The script.
 * @param header undefined: a script that runs nothing, and so tells only whether a shell is there
 * @param input what the job reads on its standard input, of any bytes; undefined: nothing
 */
export function jobScript(
  { text }: ScriptToken,
  header: Header | undefined,
  input: Uint8Array | undefined,
): Uint8Array {
  const middle = text.length >> 1;
  const begin = `if :; then
t() { printf '%s%s%s;\\n' '${text.slice(0, middle)}' '${text.slice(middle)}' "$1"; }
t b || exit 1
`;
  const end = "exit 0\nfi\n";
  if (header === undefined) return encodeWord(`${begin}t x0\n${end}`);
  // Standard error is put aside, as some shells tell there by which signal a job was ended.
  return Buffer.concat([
    encodeWord(`${begin}exec 3>&2 2>/dev/null\n${input === undefined ? "" : writerOf(input)}if (\n`),
    encodeWord(
      `trap 't "q$?"' EXIT\nv() { case $2 in cd) trap 't q125f' EXIT;; esac; exit "$1"; }\nexec 2>&3 3>&-${input ? "" : " </dev/null"}\n`,
    ),
    headerLine(header),
    encodeWord(`${programCheck}
exec "$@"
); then t x0; else t "x$?"; fi
${end}`),
  ]);
}

/** Said by ourselves, as not every shell tells by its status that there was nothing to execute. */
const programCheck =
  'case $1 in */*) [ -e "$1" ] || v 127; [ -f "$1" ] && [ -x "$1" ] || v 126;; *) command -v "$1" >/dev/null || v 127;; esac';

/** Bytes of input in one line. */
const writtenBytes = 1024;

/**
 * What writes the input into a pipe: printf, which is part of the shell, knows all bytes, and adds no line's end. A
 * here-document has one, and where a shell keeps it in a file it needs a place to write.
 */
function writerOf(input: Uint8Array): string {
  const lines = [];
  for (let at = 0; at < input.length; at += writtenBytes) {
    lines.push(`printf '${escaped(input.subarray(at, at + writtenBytes))}'\n`);
  }
  return `{\n:\n${lines.join("")}} 3>&- | `;
}

/** As printf's first word: all but plain characters in octal; no dash in front, which would be an option. */
function escaped(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    const isPlain = byte >= 0x20 && byte < 0x7f && !"'\\%".includes(char) && !(text === "" && char === "-");
    text += isPlain ? char : `\\${byte.toString(8).padStart(3, "0")}`;
  }
  return text;
}

/**
 * Reads a mark behind its token.
 * @returns how many bytes it has, its line's end not among them; undefined for what is none, and "more" where its end is missing
 */
export function readMark(
  bytes: Uint8Array,
): { readonly mark: ScriptMark; readonly length: number } | "more" | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, markLimit));
  const [whole, kind, digits, letter] = /^([bxq])(\d{0,3})(f?);/.exec(text) ?? [];
  if (whole === undefined) return /^([bxq]\d{0,3}f?)?$/.test(text) ? "more" : undefined;
  const status = Number(digits);
  const { length } = whole;
  const isFolder = letter === "f";
  if (kind === "b") return digits === "" && !isFolder ? { mark: { kind: "begun" }, length } : undefined;
  if (digits === "" || status > 255 || (isFolder && kind === "x")) return undefined;
  if (kind === "x") return { mark: { kind: "ended", status }, length };
  return { mark: { kind: "not-started", status, ...(isFolder && { isFolder }) }, length };
}

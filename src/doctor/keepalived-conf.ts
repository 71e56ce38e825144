/**
 * keepalived.conf: from its text to a tree of statements, each with the file and the line that it stands on.
 *
 * keepalived has no grammar but its own parser, so what is read here is what keepalived 2.2 was seen to do:
 *
 * - `#` and `!` begin a comment anywhere outside quotes, also in the middle of a word.
 * - Words are separated by blanks. `"…"` and `'…'` keep blanks together and end with their line.
 * - `{` and `}` end a statement wherever they stand, so a block can be on one line; `{` may be on the next line too.
 * - A line `@ID …` counts where ID is the machine's config-id, `@^ID …` where it is not.
 * - `$NAME=value` defines; `$NAME` before a blank, and `${NAME}`, are replaced when they are used.
 * - `include` and its variants take file names with wildcards, from the folder of the file that they stand in.
 *
 * The parser is total, pure but for the reader of included files that it is given, and bounded. What it does not
 * follow, definitions of several lines and `~SEQ`, it says in `notFollowed`, so that nobody takes what they would
 * have brought for missing.
 */

/** One keyword with its values, and its block if it has one. */
export interface Statement {
  /** The keyword first; quotes are removed. Empty for a block without a name. */
  readonly words: readonly string[];
  readonly file: string;
  readonly line: number;
  readonly block: readonly Statement[] | undefined;
}

/** A remark on a line. */
export interface LineRemark {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

/** A file that another one includes. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface KeepalivedConf {
  readonly statements: readonly Statement[];
  /** What keepalived will complain of. */
  readonly problems: readonly LineRemark[];
  /** What is not understood here, though keepalived may. */
  readonly notFollowed: readonly LineRemark[];
  /** All files that were read, the first one included. */
  readonly files: readonly string[];
}

export interface ParseOptions {
  /** keepalived's `--config-id`, by default the host name up to its first dot. */
  readonly configId: string;
  /** Finds what `include PATTERN` in `folder` means; empty where there is no such file. */
  readonly include: (pattern: string, folder: string) => readonly Source[];
}

const lineLimit = 20_000;
const includeDepthLimit = 10;
const lineLengthLimit = 8192;

interface OpenBlock {
  readonly opener: Statement | undefined;
  readonly statements: Statement[];
}

/** Reads a keepalived.conf and what it includes. */
export function parseKeepalivedConf(source: Source, { configId, include }: ParseOptions): KeepalivedConf {
  const problems: LineRemark[] = [];
  const notFollowed: LineRemark[] = [];
  const files: string[] = [];
  const definitions = new Map<string, string>();
  const top: OpenBlock = { opener: undefined, statements: [] };
  const open: OpenBlock[] = [top];
  const innermost = () => open.at(-1) ?? top;
  let linesLeft = lineLimit;

  readFile(source, []);
  const [, ...unclosed] = open;
  for (const { opener } of unclosed) {
    if (opener === undefined) continue;
    problems.push({
      file: opener.file,
      line: opener.line,
      what: `the block of ${show(opener.words)} is never closed`,
    });
  }
  return { statements: top.statements, problems, notFollowed, files };

  function readFile({ path, text }: Source, above: readonly string[]): void {
    files.push(path);
    const folder = path.slice(0, path.lastIndexOf("/")) || "/";
    const rows = text.split("\n");
    for (let index = 0; index < rows.length; index++) {
      const at = { file: path, line: index + 1 };
      if (linesLeft-- <= 0) {
        notFollowed.push({ ...at, what: `more than ${lineLimit} lines: the rest is left out` });
        return;
      }
      const row = (rows[index] ?? "").trim();
      const included = /^include[rmwba]?\s+([^#!]+)/.exec(row)?.[1]?.trim();
      if (included !== undefined) {
        readIncluded(included, folder, [...above, path], at);
        continue;
      }
      const line = meant(row, folder);
      if (line === undefined) continue;
      const definition = /^\$([A-Za-z_]\w*)=(.*)$/.exec(line);
      if (definition) {
        const [, name = "", value = ""] = definition;
        if (value.endsWith("\\")) {
          notFollowed.push({ ...at, what: `a definition of several lines ($${name})` });
          while (index + 1 < rows.length && (rows[index] ?? "").trimEnd().endsWith("\\")) index++;
        } else definitions.set(name, value.trim());
        continue;
      }
      if (line.startsWith("~SEQ")) notFollowed.push({ ...at, what: "a ~SEQ block" });
      else readStatements(line, at);
    }
  }

  function readIncluded(
    pattern: string,
    folder: string,
    above: readonly string[],
    at: Pick<LineRemark, "file" | "line">,
  ): void {
    if (above.length > includeDepthLimit) {
      notFollowed.push({ ...at, what: `includes more than ${includeDepthLimit} deep` });
      return;
    }
    const sources = include(pattern, folder);
    if (sources.length === 0 && !/[*?[{]/.test(pattern)) {
      problems.push({ ...at, what: `there is no file to include: ${pattern}` });
    }
    for (const each of sources) {
      if (above.includes(each.path)) problems.push({ ...at, what: `${each.path} includes itself` });
      else readFile(each, above);
    }
  }

  /** The line with its condition met and its definitions put in; undefined where the condition is not met. */
  function meant(row: string, folder: string): string | undefined {
    let line = row;
    // A definition may bring a condition, and a condition may guard a definition.
    for (let rounds = 0; rounds < 3; rounds++) {
      if (line.startsWith("@")) {
        const [, not, id, rest = ""] = /^@(\^?)(\S*)\s*(.*)$/.exec(line) ?? [];
        if ((id === configId) === (not === "^")) return undefined;
        line = rest;
      }
      if (/^\$[A-Za-z_]\w*=/.test(line)) return line;
      const put = substitute(line, folder);
      if (put === line) break;
      line = put.trimStart();
    }
    return line;
  }

  function substitute(line: string, folder: string): string {
    const definitionOf = (name: string) => {
      if (name === "_PWD") return folder;
      if (name === "_INSTANCE") return configId;
      return definitions.get(name);
    };
    let put = line;
    // A value may hold further names; the bounds end a definition that holds itself.
    for (let rounds = 0; rounds < 10 && put.includes("$") && put.length < lineLengthLimit; rounds++) {
      const next = put.replace(
        /\$(?:([A-Za-z_]\w*)(?=\s|["']|$)|\{([A-Za-z_]\w*)\})/g,
        (whole, bare: string | undefined, braced: string | undefined) =>
          definitionOf(bare ?? braced ?? "") ?? whole,
      );
      if (next === put) break;
      put = next.slice(0, lineLengthLimit);
    }
    return put;
  }

  function readStatements(line: string, at: Pick<LineRemark, "file" | "line">): void {
    const { pieces, isUnterminated } = splitLine(line);
    if (isUnterminated) problems.push({ ...at, what: "a quote is not closed on its line" });
    let words: string[] = [];
    for (const piece of pieces) {
      if (piece === openBrace) {
        openBlock(words, at);
        words = [];
      } else if (piece === closeBrace) {
        if (words.length > 0) add({ words, ...at, block: undefined });
        words = [];
        if (open.length > 1) open.pop();
        else problems.push({ ...at, what: "a } too many" });
      } else words.push(piece.word);
    }
    if (words.length > 0) add({ words, ...at, block: undefined });
  }

  /** A brace with no word before it on its line belongs to the statement above it. */
  function openBlock(words: string[], at: Pick<LineRemark, "file" | "line">): void {
    const { statements } = innermost();
    const last = words.length === 0 ? statements.at(-1) : undefined;
    const isTaken = last !== undefined && last.block === undefined;
    if (isTaken) statements.pop();
    const block: Statement[] = [];
    const opener = isTaken ? { ...last, block } : { words, ...at, block };
    statements.push(opener);
    open.push({ opener, statements: block });
  }

  function add(statement: Statement): void {
    innermost().statements.push(statement);
  }
}

/** A statement's words for a message. */
function show(words: readonly string[]): string {
  return words.slice(0, 2).join(" ") || "{";
}

/**
 * Splits the string of a notify script as keepalived does before it starts the program: no shell, but quotes.
 * @returns the program and its arguments; empty for an empty string
 */
export function splitScript(script: string): string[] {
  return splitWords(script, false).pieces.flatMap((piece) => (typeof piece === "symbol" ? [] : [piece.word]));
}

const openBrace = Symbol("{");
const closeBrace = Symbol("}");
type Piece = { readonly word: string } | typeof openBrace | typeof closeBrace;

interface Split {
  readonly pieces: Piece[];
  readonly isUnterminated: boolean;
}

function splitLine(line: string): Split {
  return splitWords(line.length > lineLengthLimit ? line.slice(0, lineLengthLimit) : line, true);
}

/** @param isStatement comments end the text, and braces are pieces of their own */
function splitWords(text: string, isStatement: boolean): Split {
  const pieces: Piece[] = [];
  let word: string | undefined;
  let quote = "";
  const end = () => {
    if (word !== undefined) pieces.push({ word });
    word = undefined;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && isStatement) {
        // Of an escape only what hides a quote matters to words; the script's own split takes the rest.
        word = `${word ?? ""}${/["'\\]/.test(text[at + 1] ?? "") ? "" : char}${text[++at] ?? ""}`;
      } else word = `${word ?? ""}${char}`;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) end();
    else if (isStatement && (char === "#" || char === "!")) break;
    else if (isStatement && char === "$" && text[at + 1] === "{" && text.includes("}", at)) {
      const close = text.indexOf("}", at);
      word = `${word ?? ""}${text.slice(at, close + 1)}`;
      at = close;
    } else if (isStatement && char === "{") {
      end();
      pieces.push(openBrace);
    } else if (isStatement && char === "}") {
      end();
      pieces.push(closeBrace);
    } else word = `${word ?? ""}${char}`;
  }
  end();
  return { pieces, isUnterminated: quote !== "" };
}

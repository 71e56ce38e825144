/**
 * A shell's line, as far as crontabs need it: its simple commands and their words. Pure and total.
 *
 * No grammar: `if`, `for` and the like come out as words, expansions stay as they are written and mark their word, and
 * redirections are left out. That is enough to know a command again, and what can't be known is not claimed.
 */

export interface ShellWord {
  /** Quotes removed. */
  readonly text: string;
  /** False where the shell would put something else in its place: `$HOME`, `*`, `~`, `$(date)`. */
  readonly isLiteral: boolean;
}

/** The words of each simple command of a line, in order; assignments before the program are among them. */
export function simpleCommands(line: string): ShellWord[][] {
  const commands: ShellWord[][] = [];
  let words: ShellWord[] = [];
  let word: { text: string; isLiteral: boolean } | undefined;
  /** The next word is a redirection's file. */
  let isTarget = false;
  const put = (text: string, isLiteral = true) => {
    word ??= { text: "", isLiteral: true };
    word.text += text;
    if (!isLiteral) word.isLiteral = false;
  };
  const endWord = () => {
    if (word !== undefined && !isTarget) words.push(word);
    if (word !== undefined) isTarget = false;
    word = undefined;
  };
  const endCommand = () => {
    endWord();
    isTarget = false;
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? "";
    if (char === "'") {
      const close = line.indexOf("'", at + 1);
      put(line.slice(at + 1, close < 0 ? undefined : close), close >= 0);
      at = close < 0 ? line.length : close;
    } else if (char === '"') {
      put("");
      for (at++; at < line.length && line[at] !== '"'; at++) {
        if (line[at] === "\\" && /[$`"\\]/.test(line[at + 1] ?? "")) put(line[++at] ?? "");
        else put(line[at] ?? "", !/[$`]/.test(line[at] ?? ""));
      }
    } else if (char === "\\") put(line[++at] ?? "");
    else if (char === "$" || char === "`") {
      const end = expansionEnd(line, at);
      put(line.slice(at, end), false);
      at = end - 1;
    } else if (/\s/.test(char)) endWord();
    else if (char === "#" && word === undefined) break;
    else if (/[;&|()\n]/.test(char)) {
      // "2>&1" and "&>file" are redirections.
      if (char === "&" && isTarget && word === undefined) continue;
      if (char === "&" && line[at + 1] === ">") endWord();
      else endCommand();
    } else if (char === "<" || char === ">") {
      // A number before it is a descriptor.
      if (word !== undefined && /^\d+$/.test(word.text)) word = undefined;
      endWord();
      isTarget = true;
      while (/[<>]/.test(line[at + 1] ?? "")) at++;
    } else put(char, !/[*?[{~]/.test(char));
  }
  endCommand();
  return commands;
}

/** Where an expansion that begins at `start` ends, brackets matched; the line's end where it does not. */
function expansionEnd(line: string, start: number): number {
  if (line[start] === "`") {
    const close = line.indexOf("`", start + 1);
    return close < 0 ? line.length : close + 1;
  }
  const open = line[start + 1];
  if (open !== "(" && open !== "{") return start + 1;
  const close = open === "(" ? ")" : "}";
  let depth = 0;
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === open) depth++;
    else if (line[at] === close && --depth === 0) return at + 1;
  }
  return line.length;
}

/** The words behind the assignments. */
export function withoutAssignments(words: readonly ShellWord[]): readonly ShellWord[] {
  const first = words.findIndex(({ text }) => !/^[A-Za-z_]\w*=/.test(text));
  return first < 0 ? [] : words.slice(first);
}

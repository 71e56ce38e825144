/**
 * Strings that stand for bytes: a byte that is not UTF-8 is one lone surrogate U+DC80…U+DCFF, as Python has it, so that a
 * word stays a string everywhere and turns back into exactly its bytes where it leaves the program.
 */

/** True if the word holds bytes that are not UTF-8. */
export function isRaw(word: string): boolean {
  return !word.isWellFormed() && /[\udc80-\udcff]/u.test(word);
}

/** Decodes UTF-8; a byte that belongs to no character becomes U+DC00 plus its value. */
export function decodeWord(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    // Some of it is not UTF-8: character by character then.
  }
  let word = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    if (length === 0) word += String.fromCharCode(0xdc00 + (bytes[at++] ?? 0));
    else {
      word += utf8.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return word;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How many bytes the character at `at` has; 0 where there is none. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0; // Not a character: that is the answer.
  }
}

const encoder = new TextEncoder();

/** The bytes of a string; the reverse of {@link decodeWord}, and plain UTF-8 for every other string. */
export function encodeWord(word: string): Uint8Array<ArrayBuffer> {
  if (!isRaw(word)) return encoder.encode(word);
  const parts = word.split(/([\udc80-\udcff])/u);
  const encoded = parts.map((part) =>
    isRaw(part) ? Uint8Array.of(part.charCodeAt(0) - 0xdc00) : encoder.encode(part),
  );
  const bytes = new Uint8Array(encoded.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of encoded) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

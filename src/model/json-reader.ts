/**
 * Readers of JSON from outside: each takes any value, and gives it back with the type that it has proven, or undefined.
 * They are put together as the types are, so that the compiler holds the two together.
 */

/** Reads a value. Total; undefined where the value is none of this kind. JSON itself knows no undefined. */
export type Reader<T> = (value: unknown) => T | undefined;

/** The type that a reader proves. */
export type ReadBy<R> = R extends Reader<infer T> ? T : never;

type Fields = Readonly<Record<string, Reader<unknown>>>;
type Read<Required extends Fields, Optional extends Fields> = {
  readonly [Key in keyof Required]: ReadBy<Required[Key]>;
} & { readonly [Key in keyof Optional]?: ReadBy<Optional[Key]> };

/** Text, within a number of characters. */
export const text =
  (limit: number, least = 0): Reader<string> =>
  (value) =>
    typeof value === "string" && value.length <= limit && value.length >= least ? value : undefined;

/** A number that is whole. */
export const whole =
  (from: number, to: number): Reader<number> =>
  (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= from && value <= to
      ? value
      : undefined;

/** How many. */
export const count: Reader<number> = whole(0, Number.MAX_SAFE_INTEGER);

/** An instant in milliseconds since 1970 that a Date can be. */
export const instant: Reader<number> = (value) =>
  typeof value === "number" && value >= 0 && value <= 8.64e15 ? value : undefined;

export const flag: Reader<boolean> = (value) => (typeof value === "boolean" ? value : undefined);

/** One of some words. */
export const oneOf =
  <const Word extends string>(words: readonly Word[]): Reader<Word> =>
  (value) =>
    words.find((word) => word === value);

/** A list, each of its items by the same reader. */
export const list =
  <T>(item: Reader<T>): Reader<readonly T[]> =>
  (value) => {
    if (!Array.isArray(value)) return undefined;
    const items: T[] = [];
    for (const each of value) {
      const read = item(each);
      if (read === undefined) return undefined;
      items.push(read);
    }
    return items;
  };

/**
 * An object with these keys.
 * @param optional keys that may be missing
 * @param other what becomes of keys that are not named: left out, or a reason to refuse the object
 */
export const object =
  <Required extends Fields, Optional extends Fields = Record<never, never>>(
    required: Required,
    optional?: Optional,
    other: "left-out" | "refused" = "left-out",
  ): Reader<Read<Required, Optional>> =>
  (value) => {
    if (!isObject(value)) return undefined;
    const read: Record<string, unknown> = {};
    for (const [key, reader] of Object.entries(required)) {
      const field = Object.hasOwn(value, key) ? reader(value[key]) : undefined;
      if (field === undefined) return undefined;
      read[key] = field;
    }
    for (const [key, reader] of Object.entries(optional ?? {})) {
      if (!Object.hasOwn(value, key)) continue;
      const field = reader(value[key]);
      if (field === undefined) return undefined;
      read[key] = field;
    }
    if (other === "refused" && Object.keys(value).some((key) => !Object.hasOwn(read, key))) return undefined;
    // Every key was read by the reader that gives its type.
    return read as Read<Required, Optional>;
  };

/** Parses a text; undefined for what is no JSON, and for what is no object. */
export function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // No JSON: undefined is the answer.
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

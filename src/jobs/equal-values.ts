/**
 * Equal values, kept once: of 10,000 jobs most say the same of their output and their overlap, and a daemon that
 * holds them for months should not hold that 10,000 times.
 */

/** What else is new is passed on as it is: somebody's 10,000 different values are not kept twice. */
const keptLimit = 2000;

/**
 * Makes what keeps values of one kind.
 * @returns gives for a value, which must be of plain data and not change any more, the first one that was equal to it
 */
export function equalValues<Value extends object>(): (value: Value) => Value {
  const kept = new Map<string, Value>();
  return (value) => {
    const key = JSON.stringify(value);
    const known = kept.get(key);
    if (known !== undefined) return known;
    if (kept.size < keptLimit) kept.set(key, value);
    return value;
  };
}

/**
 * IP addresses as bytes.
 */

/**
 * Reads an IPv4 address (`192.0.2.10`) or an IPv6 address (`2001:db8::10`, also with an IPv4 address at its end).
 * No prefix length, no zone, no leading zeros in IPv4.
 * @returns 4 or 16 bytes, 4 also for an IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.10`); undefined for
 *   anything else
 */
export function parseIpAddress(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!text.includes(":")) {
    const bytes = ipv4(text);
    return bytes && Uint8Array.from(bytes);
  }
  const gap = text.indexOf("::");
  const before = groups(gap < 0 ? text : text.slice(0, gap), gap < 0);
  const after = gap < 0 ? [] : groups(text.slice(gap + 2), true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  if (gap < 0 ? missing !== 0 : missing < 2) return undefined;
  const address = new Uint8Array(16);
  address.set(before);
  address.set(after, 16 - after.length);
  // No interface has it in this form.
  return mappedPrefix.every((byte, index) => address[index] === byte) ? address.slice(12) : address;
}

/** `::ffff:0:0/96` */
const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The bytes of `20:db8:…`; where this is the address's end, an IPv4 address may be the last of them. */
function groups(text: string, isEnd: boolean): number[] | undefined {
  const bytes: number[] = [];
  if (text === "") return bytes;
  const parts = text.split(":");
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] ?? "";
    if (part.includes(".")) {
      const last = isEnd && index === parts.length - 1 ? ipv4(part) : undefined;
      if (last === undefined) return undefined;
      bytes.push(...last);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      const value = Number.parseInt(part, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes.length > 16 ? undefined : bytes;
}

function ipv4(text: string): number[] | undefined {
  const parts = text.split(".");
  const bytes: number[] = [];
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] ?? "";
    const value = Number(part);
    if (String(value) !== part || !(value >= 0 && value <= 255) || part.includes("-")) return undefined;
    bytes.push(value);
  }
  return bytes.length === 4 ? bytes : undefined;
}

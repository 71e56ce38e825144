/**
 * The users of this machine, wherever it keeps them (files, LDAP, …): the C library's own search.
 */
import { cString, fromCString, type Pointer, readPointer, readU32, usersLibc } from "./libc.ts";

/** One of them. */
export interface User {
  readonly name: string;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
  readonly home: string;
}

/** Where the parts of glibc's struct passwd stand on 64-bit machines. */
const uidOffset = 16;
const gidOffset = 20;
const homeOffset = 32;

/**
 * Looks up a user.
 * @param nameOrId a login name, or a number
 * @returns undefined if there is none; or that no C function can be called
 */
export function findUser(nameOrId: string): User | "no-libc" | undefined {
  const c = usersLibc();
  if (c === undefined) return "no-libc";
  const isNumber = /^\d{1,10}$/.test(nameOrId);
  const entry = isNumber ? c.getpwuid(Number(nameOrId)) : c.getpwnam(cString(nameOrId));
  if (!entry) return undefined;
  const text = (offset: number) => {
    const at = readPointer(entry as Pointer, offset);
    return at === 0 ? "" : fromCString(BigInt(at));
  };
  return {
    name: text(0),
    uid: readU32(entry as Pointer, uidOffset),
    gid: readU32(entry as Pointer, gidOffset),
    home: text(homeOffset),
  };
}

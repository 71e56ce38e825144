/**
 * The users and groups of this machine, wherever it keeps them (files, LDAP, …): the C library's own search.
 */
import { cString, fromCString, groupsLibc, type Pointer, readPointer, readU32, usersLibc } from "./libc.ts";

/** One of them. */
export interface User {
  readonly name: string;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
  readonly home: string;
}

/** A group of users. */
export interface Group {
  readonly name: string;
  readonly gid: number;
}

/** Where the parts of glibc's struct passwd stand on 64-bit machines. */
const uidOffset = 16;
const gidOffset = 20;
const homeOffset = 32;
/** The same of struct group. */
const groupGidOffset = 16;

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

/**
 * Looks up a group.
 * @param nameOrId a group's name, or a number
 * @returns undefined if there is none; or that no C function can be called
 */
export function findGroup(nameOrId: string): Group | "no-libc" | undefined {
  const c = groupsLibc();
  if (c === undefined) return "no-libc";
  const isNumber = /^\d{1,10}$/.test(nameOrId);
  const entry = isNumber ? c.getgrgid(Number(nameOrId)) : c.getgrnam(cString(nameOrId));
  if (!entry) return undefined;
  const name = readPointer(entry as Pointer, 0);
  return {
    name: name === 0 ? "" : fromCString(BigInt(name)),
    gid: readU32(entry as Pointer, groupGidOffset),
  };
}

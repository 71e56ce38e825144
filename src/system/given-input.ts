/**
 * A text that a program finds on its standard input: a pipe that holds all of it, as cron gives one, or where it is longer
 * than a pipe takes at once, a file in memory. Either way nobody has to write on while the program reads.
 */
import {
  addressOf,
  cString,
  errno,
  hostingLibc,
  libc,
  O_CLOEXEC,
  O_NONBLOCK,
  pipeLibc,
  type SystemError,
  systemError,
} from "./libc.ts";
import { closeFd } from "./pipe.ts";

const F_SETFL = 4;
const SEEK_SET = 0;
const MFD_CLOEXEC = 1;
const memfdCreate = process.arch === "arm64" ? 279 : 319;

/** @returns a descriptor to read from, to be closed here as soon as the program has it; or why there is none */
export function openGivenInput(bytes: Uint8Array): number | SystemError {
  const c = pipeLibc();
  if (c === undefined) return { code: "ENOSYS", text: "this process can't call the C library" };
  const ends = new Int32Array(2);
  if (c.pipe2(ends, O_CLOEXEC) !== 0) return systemError(errno());
  const [fd = -1, writeFd = -1] = ends;
  c.fcntl(writeFd, F_SETFL, O_NONBLOCK); // the reading end is another open file, and keeps waiting
  const written = bytes.length === 0 ? 0 : Number(c.write(writeFd, bytes, bytes.length));
  closeFd(writeFd);
  if (written === bytes.length) return fd;
  closeFd(fd);
  return openGivenFile(bytes);
}

/**
 * A file in memory that holds the bytes. Others find it as `/proc/PID/fd/N`, for as long as it is open here; a script in it
 * can be executed by that name.
 * @returns a descriptor at the file's beginning; or why there is none
 */
export function openGivenFile(bytes: Uint8Array): number | SystemError {
  const fd = Number(hostingLibc()?.syscall(memfdCreate, cString("rcron-input"), MFD_CLOEXEC) ?? -1);
  if (fd < 0) return systemError(errno());
  const c = pipeLibc();
  for (let at = 0; at < bytes.length; ) {
    const written = Number(c?.write(fd, addressOf(bytes, at), bytes.length - at) ?? -1);
    if (written <= 0) {
      const error = systemError(errno());
      libc()?.close(fd);
      return error;
    }
    at += written;
  }
  c?.lseek(fd, 0, SEEK_SET);
  return fd;
}

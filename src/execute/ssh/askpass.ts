/**
 * A node's password from a file, for ssh, which takes passwords from a terminal or a program alone. The program is a few
 * lines of shell in memory: nothing lies on a disk, and of the password no word stands in an argument, a variable or a log.
 */
import { Problem } from "../../model/problem.ts";
import { openGivenFile } from "../../system/given-input.ts";
import { thrownSystemError } from "../../system/libc.ts";
import { closeFd } from "../../system/pipe.ts";

/** It answers to the question for a password, and to no other: neither for a key's passphrase, nor whether a host is trusted. */
const program = `#!/bin/sh
case $1 in
*assphrase* | *yes/no* | *fingerprint*) exit 1 ;;
esac
IFS= read -r password <"$RCRON_PASSWORD_FILE" || [ -n "$password" ] || exit 1
printf '%s\\n' "$password"
`;

/** For as long as ssh may ask. */
export interface Askpass extends Disposable {
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Makes the program.
 * @param passwordFile the password on its first line
 * @returns a Problem (`denied`, `not-found`) where the file is somebody else's business too; the password is not read here
 */
export function openAskpass(passwordFile: string): Askpass | Problem {
  const wrong = whyNotTrusted(passwordFile);
  if (wrong !== undefined) return wrong;
  const fd = openGivenFile(new TextEncoder().encode(program));
  if (typeof fd === "object") {
    return new Problem("internal", `ssh can't be given the password of ${passwordFile}: ${fd.text}`);
  }
  return {
    environment: {
      SSH_ASKPASS: `/proc/${process.pid}/fd/${fd}`,
      SSH_ASKPASS_REQUIRE: "force",
      DISPLAY: ":", // without it, ssh before 8.4 asks no program
      RCRON_PASSWORD_FILE: passwordFile,
    },
    [Symbol.dispose]: () => closeFd(fd),
  };
}

function whyNotTrusted(path: string): Problem | undefined {
  const refuse = (rule: string, hint: string) =>
    new Problem("denied", `a node's password file must be ${rule}`, { where: path, hint });
  try {
    const stat = process.getBuiltinModule("node:fs").lstatSync(path);
    if (!stat.isFile()) return refuse("a regular file", "name a file that holds the password, no link to it");
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    if ((stat.mode & 0o177) !== 0) return refuse(`of mode 0600 at most: it has ${mode}`, `chmod 600 ${path}`);
    if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
      return refuse(`root's or one's own: it is that of uid ${stat.uid}`, `chown root ${path}`);
    }
    return undefined;
  } catch (error) {
    const { code, text } = thrownSystemError(error);
    const rule = `a node's password file must be readable: ${text}`;
    return new Problem(code === "ENOENT" ? "not-found" : "denied", rule, { where: path, cause: error });
  }
}

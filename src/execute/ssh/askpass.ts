/**
 * A node's password from a file, for ssh, which takes passwords from a terminal or a program alone. The program is a few
 * lines of shell in memory: nothing lies on a disk, and of the password no word stands in an argument, a variable or a log.
 */
import { Problem } from "../../model/problem.ts";
import { openGivenFile } from "../../system/given-input.ts";
import { closeFd } from "../../system/pipe.ts";
import { notReadable, whyNotPrivate } from "../../system/private-file.ts";

/**
 * It answers to the ssh that we have started, and to no other: one that leads to a jump host inherits the environment, and is that
 * one's child. By its name the node could not be told from its jump host, which may have the same one, or ask in its name.
 *
 * It answers to the question for a password: neither for a key's passphrase or a token's PIN, nor whether a host is trusted, nor
 * for a new password. Since OpenSSH 8.7 the node's own words stand behind `(USER@HOST) `.
 */
const program = `#!/bin/sh
read -r stat </proc/$PPID/stat || exit 1
set -- "$1" \${stat##*) }
[ "$3" = "$RCRON_ASKPASS_FOR" ] || exit 1
case $1 in
"Enter "* | *yes/no* | *fingerprint* | *"ew password"*) exit 1 ;;
"("?*@?*") "* | *assword:*) ;;
*) exit 1 ;;
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
      RCRON_ASKPASS_FOR: String(process.pid),
    },
    [Symbol.dispose]: () => closeFd(fd),
  };
}

function whyNotTrusted(path: string): Problem | undefined {
  const subject = "a node's password file";
  const fileHint = "name a file that holds the password, no link to it";
  try {
    return whyNotPrivate({ path, subject, fileHint }, process.getBuiltinModule("node:fs").lstatSync(path));
  } catch (error) {
    return notReadable({ path, subject }, error);
  }
}

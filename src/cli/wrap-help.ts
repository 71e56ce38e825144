/**
 * `rcron --help` and `rcron --version`.
 */
import { confDefaults, defaultConfPath } from "../gate/gate.ts";
import { print } from "./terminal.ts";
import { version } from "./version.ts";

const help = `Usage: rcron [options] [NAME=value ...] command [args]

Runs the command if this machine is the active one of its group, and does
nothing, quietly, if it is passive. Put it in front of a crontab line that
several machines share:

    0 3 * * *  rcron my-job --its-option

The options stand before the command; the first word that is none begins it.

  --conf FILE   the configuration (default: ${defaultConfPath})
  --explain     run nothing; say what would happen here, and why
  --shell       join the words with blanks for /bin/sh -c, as older versions did
  --on-passive finish|stop
                when this machine is no longer active while the command runs: let
                it finish, or stop it (default: on_passive of the configuration)
  --generate    write default_state to the state file and log it (for boot)
  --as NAME     be rcron, rcrond or rcronctl, where links can't be made
  --help        show this text
  --version     show the version
  --            the command begins here

Several words are run as they are, without a shell. A single word with blanks or
shell characters is given to /bin/sh -c:  rcron 'make-report | gzip > report.gz'

The command finds in its environment RCRON_CLUSTER, RCRON_STATE_EPOCH (grows with
every change of state), RCRON_RUN_ID and RCRON_TICK (the minute it stands for).

The state is the first word, active or passive, of the state file
(default: ${confDefaults.state_file}); rcronctl state shows it.

Exit status: the job's own, 128+N if signal N ended it, 0 on a passive machine,
127 command not found, 126 command not executable, 125 rcron itself failed.
`;

/** Prints the help to standard output. */
export async function printHelp(): Promise<void> {
  await print(help);
}

/** Prints `rcron VERSION` to standard output. */
export async function printVersion(): Promise<void> {
  await print(`rcron ${version}\n`);
}

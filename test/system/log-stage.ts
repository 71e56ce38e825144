/** What the scenes about the log have in common: a log daemon to misbehave with, and a job in two steps. */

/** Shell function `log_socket`: log-socket.py, which says what it can do. */
export const python = `log_socket() { /usr/bin/python3 '${import.meta.dir}/log-socket.py' "$@"; }\n`;

/**
 * An active machine and its job `step`, which says `started` in /run/out/events, waits for /run/release, says `ended`,
 * and has the exit status 7.
 */
export const step = `
job step <<'END'
#!/bin/sh
echo started >>/run/out/events
until [ -e /run/release ]; do sleep 0.02; done
echo ended >>/run/out/events
exit 7
END
job_started() { grep -q started /run/out/events 2>/dev/null; }
job_ended() { grep -q ended /run/out/events 2>/dev/null; }
release() { : >/run/release; }
run_ends() { status=0; wait $run || status=$?; echo $status >/run/out/status; }
logged() { grep -q -- "$1" /var/log/all; }
PATH=/run/jobs:$PATH
conf 'cluster_name = blue' 'nice_level = 0'
state active
`;

/** The datagrams that log-socket.py recorded, a character for each byte. */
export function heard(record = ""): string[] {
  return record
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Buffer.from(line, "hex").toString("latin1"));
}

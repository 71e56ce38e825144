/**
 * acron's own job files, unchanged: the README's, and one in the words of its older sample.
 *
 * They are due each ten minutes. So the daemon's clock is a file (libfaketime) that is set to shortly before the coming tick, which
 * `rcronctl next` names; and when the tick is there, everything is real: the programs that they call, the file that is appended to, the mail
 * that a program in sendmail's place gets.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeOnPrivateHost, onPrivateHost } from "../../support/private-host.ts";
import { clockLibrary, onOneProcessor } from "./scheduler.ts";

setDefaultTimeout(90_000);

/** @see acron's README, "cron definition" */
const readme = `    every 10m
    timeout 1m  # kill if running longer than 60s
    splay  # see splay section
    
    output if-error mark@example.com  # output is emailed here if job errors
    output /var/log/acron/myjob.log  # all output is appended here
    error if-stderr if-nonzero  # conditions for failure
    
    if /usr/local/bin/machine_in_group.sh mygroup
    
    run /usr/local/bin/something.py --with-some-args --and-args
            --and-more-args --and-even-more --you-get-the-idea
`;

/** The words of the sample that came before it. */
const older = `every 10m
timeout 1s
stdout /var/log/acron/older.log
stderr stdout
send-stdout if-stderr
run /usr/local/bin/something.py --older
`;

const scene = `
mkdir -p /etc/rcron/jobs.d/web /run/out /var/log/acron
mount -t tmpfs -o mode=755 tmpfs /usr/local
mkdir /usr/local/bin
script() { cat > /usr/local/bin/$1; chmod 755 /usr/local/bin/$1; }
script machine_in_group.sh <<'END'
#!/bin/sh
echo "$1" >> /run/out/asked
[ -e /run/groups/$1 ]
END
script something.py <<'END'
#!/bin/sh
echo "ran with $*"
case $(cat /run/way) in
  complain) echo "a complaint" >&2 ;;
  fail) exit 3 ;;
  hang) trap '' TERM; sleep 30 & wait; sleep 30 ;;
esac
END
script mailer <<'END'
#!/bin/sh
{ echo "to $*"; cat; echo; echo "END OF MAIL"; } >> /run/out/mail
END
ln -s rcron /usr/bin/rcrond; ln -s rcron /usr/bin/rcronctl
printf '%s\\n' 'mail_through = /usr/local/bin/mailer' 'log_format = extended' '[daemon]' 'log = stderr' 'socket = /run/rcrond.sock' > /etc/rcron/rcron.conf
clock() { echo "$1" > /run/clock.new; mv /run/clock.new /run/clock; }
mkdir -p /run/groups
echo +0s > /run/clock
ahead=0
TZ=UTC LD_PRELOAD=${clockLibrary} FAKETIME_TIMESTAMP_FILE=/run/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 ${onOneProcessor().join(" ")} rcrond 2>/run/out/log &
rcrond=$!
record=/var/lib/rcron/journal
at_work() { grep -q ' is at work: ' /run/out/log; }
until_ok at_work
lines() { [ -e $record ] && grep -c '"kind":"\\(end\\|skip\\)"' $record || echo 0; }
more_lines() { [ "$(lines)" -gt $before ]; }
# The next tick, with what the job then does; the daemon is given a reason to look at the clock.
tick() {
  echo $1 > /run/way
  before=$(lines)
  now=$(($(date +%s) + ahead))
  next=$(rcronctl next web/job --json | python3 -c 'import json, sys, datetime
d = json.load(sys.stdin)
d = d[0] if isinstance(d, list) else d
n = d["next"]
n = n[0] if isinstance(n, list) else n
print(int(datetime.datetime.fromisoformat(n.replace("Z", "+00:00")).timestamp()))')
  [ "$next" -gt $now ] || next=$((next + 600))
  ahead=$((ahead + next - now + 1))
  clock +$ahead\\s
  printf 'every 1000d\\noutput none\\nrun true %s\\n' $ahead > /run/nudge; mv /run/nudge /etc/rcron/jobs.d/nudge
  until_ok more_lines || until_ok more_lines
  echo "$1: $(tail -n 1 $record | python3 -c 'import json, sys
e = json.load(sys.stdin)
print(e["kind"], e.get("why", e.get("cause")), e.get("exit", "-"))')"
}
mails() { [ -e /run/out/mail ] && [ "$(grep -c 'END OF MAIL' /run/out/mail)" -ge $1 ]; }
finish() {
  kill $rcrond; wait $rcrond
  cp -r /run/out/. /var/log/acron/. "$out/"
}
`;

async function play(job: string, script: string) {
  const out = mkdtempSync(join(tmpdir(), "rcron-acron-"));
  try {
    writeFileSync(join(out, "job"), job);
    const put = `out='${out}'\n${scene.replace("ahead=0\n", `ahead=0\ncp ${out}/job /etc/rcron/jobs.d/web/job\n`)}`;
    const ended = await onPrivateHost(`${put}${script}\nfinish`, 60_000);
    const files = new Map(
      ["log", "mail", "asked", "myjob.log", "older.log"].map((name) => {
        const path = join(out, name);
        return [name, existsSync(path) ? readFileSync(path, "utf8") : ""];
      }),
    );
    if (ended.exitCode !== 0) throw new Error(`${ended.stdout}${ended.stderr}${files.get("log")}`);
    return { said: ended.stdout.trimEnd().split("\n"), file: (name: string) => files.get(name) ?? "" };
  } finally {
    rmSync(out, { recursive: true });
  }
}

describeOnPrivateHost("acron's job files", ["dist/rcron", "python3", clockLibrary], () => {
  test("the README's: condition, output to the file, a mail where it begins to fail and one where that ends", async () => {
    const { said, file } = await play(
      readme,
      "tick fine; : > /run/groups/mygroup; tick fine; tick complain; until_ok mails 1; tick fail; tick fine; until_ok mails 2",
    );
    expect(said).toEqual([
      "fine: skip condition -",
      "fine: end exit 0",
      "complain: end stderr 0",
      "fail: end exit 3",
      "fine: end exit 0",
    ]);
    const ran = "ran with --with-some-args --and-args --and-more-args --and-even-more --you-get-the-idea\n";
    expect(file("myjob.log")).toBe(`${ran}${ran}a complaint\n${ran}${ran}`);
    expect(file("asked")).toBe("mygroup\n".repeat(5));
    const mails = file("mail").split("END OF MAIL\n").slice(0, -1);
    expect(mails).toHaveLength(2);
    expect(mails[0]).toContain("mark@example.com");
    expect(mails[0]).toContain("a complaint");
    expect(mails[1]).toContain("after 2 failures");
  });

  test("the older words: both outputs to the file if it writes to standard error, TERM and KILL in their time", async () => {
    const { said, file } = await play(older, "tick fine; tick complain; tick hang");
    expect(said).toEqual(["fine: end exit 0", "complain: end stderr 0", "hang: end timeout -"]);
    expect(file("older.log")).toBe("ran with --older\na complaint\nran with --older\n");
    expect(file("mail")).toBe("");
  });
});

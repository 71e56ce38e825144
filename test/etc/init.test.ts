/** The init script, run for real with a private /run, /etc and the built program. */
import { expect, test } from "bun:test";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";

const init =
  "install -m 755 $etc/rcron.init /etc/init.d/rcron; rcron=/etc/init.d/rcron; state=/run/rcron.state; mkdir -p /etc/rcron;";
const passiveConf = `${init} echo 'default_state = passive' >/etc/rcron/rcron.conf;`;
/** Something that the process table calls keepalived, with its pid file. */
const livingKeepalived = `cp /bin/sleep /run/keepalived; /run/keepalived 60 & echo $! >/run/keepalived.pid; until_ok grep -qx keepalived /proc/$!/comm;`;

/** Runs a script whose last line is an action of the init script. */
async function act(script: string) {
  const { exitCode, stdout, stderr } = await onPrivateHost(`${script}
code=0; $action || code=$?; printf '\\nexit %s, %s, state %s\\n' "$code" "$(stat -c %a $state 2>/dev/null)" "$(cat $state 2>/dev/null)"`);
  const last = /\nexit (\d+), (\d*), state (.*)\n$/s.exec(stdout);
  if (exitCode !== 0 || last === null) throw new Error(`the test's own script failed: ${stdout}${stderr}`);
  return {
    exitCode: Number(last[1]),
    mode: last[2],
    state: last[3],
    said: stdout.slice(0, last.index) + stderr,
  };
}

describeOnPrivateHost("rcron.init start", ["dist/rcron"], () => {
  test("seeds the state file with default_state of rcron.conf, mode 644, whatever the umask", async () => {
    expect(await act(`${passiveConf} umask 077; action="$rcron start"`)).toMatchObject({
      exitCode: 0,
      mode: "644",
      state: "passive",
    });
  });

  test("seeds active where there is no rcron.conf, which is the documented default", async () => {
    expect(await act(`${init} action="$rcron start"`)).toMatchObject({ exitCode: 0, state: "active" });
  });

  test("honours RCRON and CONF of /etc/default/rcron", async () => {
    expect(
      await act(`${init} mv /usr/bin/rcron /run/elsewhere; state=/run/deep/other.state
        printf 'default_state passive\\nSTATE_FILE: "%s"\\n' $state >/run/other.conf
        printf 'RCRON=/run/elsewhere\\nCONF=/run/other.conf\\n' >/etc/default/rcron; action="$rcron start"`),
    ).toMatchObject({
      exitCode: 0,
      state: "passive",
      said: expect.stringContaining("/run/deep/other.state"),
    });
  });

  test("replaces the word of the last boot, where the state file outlived it", async () => {
    expect(await act(`${passiveConf} echo active >$state; action="$rcron start"`)).toMatchObject({
      exitCode: 0,
      state: "passive",
    });
  });

  test("leaves the word of a living keepalived alone", async () => {
    const done = await act(`${passiveConf} ${livingKeepalived} echo active >$state; action="$rcron start"`);
    expect(done).toMatchObject({
      exitCode: 0,
      state: "active",
      said: expect.stringContaining("left as it is"),
    });
  });

  test("seeds where keepalived lives but there is no word", async () => {
    expect(await act(`${passiveConf} ${livingKeepalived} : >$state; action="$rcron start"`)).toMatchObject({
      exitCode: 0,
      state: "passive",
    });
  });

  test("is not deceived by the pid file of a killed keepalived, its pid now another's", async () => {
    expect(
      await act(`${passiveConf} echo active >$state; echo $$ >/run/keepalived.pid; action="$rcron start"`),
    ).toMatchObject({ exitCode: 0, state: "passive" });
  });

  test("works without lsb-base", async () => {
    const done = await act(`${passiveConf} mount -t tmpfs tmpfs /lib/lsb; action="$rcron start"`);
    expect(done).toMatchObject({
      exitCode: 0,
      state: "passive",
      said: "rcron: passive, written to /var/run/rcron.state\n",
    });
  });

  test.each([
    {
      exitCode: 1,
      when: "rcron.conf is malformed",
      script: "echo 'default_state = maybe' >/etc/rcron/rcron.conf;",
    },
    { exitCode: 1, when: "the state file can't be written", script: "mount -o remount,ro /run;" },
    {
      exitCode: 4,
      when: "it is not called by root",
      script: "",
      as: "setpriv --reuid nobody --clear-groups ",
    },
    { exitCode: 5, when: "the program is missing", script: "rm /usr/bin/rcron;" },
    { exitCode: 6, when: "CONF names no file", script: "echo CONF=/nowhere >/etc/default/rcron;" },
  ])("exits $exitCode, says why and writes nothing when $when", async ({ exitCode, script, as = "" }) => {
    const done = await act(`${init} echo active >$state; ${script} action="${as}$rcron start"`);
    expect(done).toMatchObject({ exitCode, state: "active", said: expect.stringContaining("rcron: ") });
  });
});

describeOnPrivateHost("rcron.init, the other actions", ["dist/rcron"], () => {
  test.each(["restart", "try-restart", "reload", "force-reload", "stop"])(
    "%s leaves a good word alone",
    async (action) => {
      expect(await act(`${passiveConf} echo active >$state; action="$rcron ${action}"`)).toMatchObject({
        exitCode: 0,
        state: "active",
      });
    },
  );

  test.each(["restart", "try-restart", "reload", "force-reload"])(
    "%s seeds where the state file says neither word",
    async (action) => {
      expect(await act(`${passiveConf} echo inactive >$state; action="$rcron ${action}"`)).toMatchObject({
        exitCode: 0,
        state: "passive",
      });
    },
  );

  test("stop writes no file", async () => {
    expect(await act(`${passiveConf} action="$rcron stop"`)).toMatchObject({ exitCode: 0, mode: "" });
  });

  test.each(["", "help", "status-all"])("'%s' is wrong usage: exit 2", async (action) => {
    expect(await act(`${init} action="$rcron ${action}"`)).toMatchObject({
      exitCode: 2,
      said: expect.stringContaining("Usage: "),
    });
  });
});

describeOnPrivateHost("rcron.init status", ["dist/rcron"], () => {
  test.each([
    { title: "active", script: "echo active >$state", exitCode: 0, says: "rcron: active" },
    { title: "passive", script: "echo passive >$state", exitCode: 0, says: "rcron: passive" },
    {
      title: "a word in capitals after blank lines",
      script: "printf '\\n  PASSIVE x\\n' >$state",
      exitCode: 0,
      says: "rcron: passive",
    },
    {
      title: "no newline, as tmpfiles writes it",
      script: "printf passive >$state",
      exitCode: 0,
      says: "rcron: passive",
    },
    {
      title: "the second path of the default",
      script: "mkdir /run/rcron; echo active >/run/rcron/state",
      exitCode: 0,
      says: "/var/run/rcron/state",
    },
    { title: "no file", script: ":", exitCode: 3, says: "no state file" },
    { title: "an empty file", script: ": >$state", exitCode: 3, says: "neither active nor passive" },
    {
      title: "inactive, which is not active",
      script: "echo inactive >$state",
      exitCode: 3,
      says: "neither active nor passive",
    },
    {
      title: "a file that the caller may not read",
      script: "(umask 077; echo active >$state)",
      as: "setpriv --reuid nobody --clear-groups ",
      exitCode: 4,
      says: "may not be read",
    },
  ])("$title: exit $exitCode", async ({ script, as = "", exitCode, says }) => {
    expect(await act(`${init} ${script}; action="${as}$rcron status"`)).toMatchObject({
      exitCode,
      said: expect.stringContaining(says),
    });
  });

  test.each([
    "state_file = /run/x",
    "state_file /run/x",
    "\tSTATE_FILE:'/run/x'  ",
    'state_file="/run/x"\\r',
  ])("finds the state file that rcron.conf names with: %s", async (line) => {
    const done = await act(
      `${init} echo active >/run/x; printf '%b\\n' "#state_file = /no" '${line.replaceAll("'", `'\\''`)}' 'nice_level = 5' >/etc/rcron/rcron.conf; action="$rcron status"`,
    );
    expect(done).toMatchObject({ exitCode: 0, said: "rcron: active, says /run/x\n" });
  });
});

describeOnPrivateHost("rcron.init at boot", ["systemd-analyze"], () => {
  test("is ordered before cron and keepalived by systemd's reading of its header", async () => {
    const { stdout } = await onPrivateHost(`${init}
      ln -s ../init.d/rcron /etc/rc2.d/S01rcron
      mkdir /run/out; SYSTEMD_LOG_TARGET=console /lib/systemd/system-generators/systemd-sysv-generator /run/out /run/out /run/out
      cat /run/out/rcron.service`);
    expect(stdout).toMatch(/^Before=.*\bcron\.service\b/m);
    expect(stdout).toMatch(/^Before=.*\bkeepalived\.service\b/m);
    expect(stdout).toMatch(/^ExecStart=\/etc\/init\.d\/rcron start$/m);
  });
});

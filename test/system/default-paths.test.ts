/**
 * What only shows where the default paths are one's own: /etc/rcron/rcron.conf, /var/run/rcron.state and its second.
 */
import { expect, test } from "bun:test";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";

const asNobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";

describeOnPrivateHost("on a host of its own", ["dist/rcron", "setpriv"], () => {
  test("docs/compatibility.md, configuration missing: the default path missing, it goes on with the defaults and warns", async () => {
    const ended = await onPrivateHost("echo active > /run/rcron.state; rcron echo ran");
    expect(ended).toEqual({
      exitCode: 0,
      stdout: "ran\n",
      stderr:
        "rcron: warning: no configuration at /etc/rcron/rcron.conf: going on with the defaults, which make this machine active unless its state file says otherwise\n",
    });
  });

  test("a default configuration that is there and can't be read runs nothing: it may say passive", async () => {
    const ended = await onPrivateHost(`
      mkdir /etc/rcron; echo 'default_state = passive' > /etc/rcron/rcron.conf; chmod 600 /etc/rcron/rcron.conf
      echo active > /run/rcron.state
      ${asNobody} rcron echo ran || echo "exit $?"
      rm /etc/rcron/rcron.conf; mkdir /etc/rcron/rcron.conf
      rcron echo ran || echo "exit $?"`);
    expect(ended.stdout).toBe("exit 125\nexit 125\n");
    expect(ended.stderr).toBe(
      "rcron: /etc/rcron/rcron.conf: the configuration must be a readable file: permission denied\n" +
        "rcron: /etc/rcron/rcron.conf: the configuration must be a readable file: is a directory\n",
    );
  });

  test("docs/compatibility.md, default configuration: /etc/rcron/rcron.conf is read", async () => {
    const ended = await onPrivateHost(`
      mkdir /etc/rcron; echo 'nice_level = 7' > /etc/rcron/rcron.conf; echo active > /run/rcron.state
      rcron nice`);
    expect(ended).toEqual({ exitCode: 0, stdout: "7\n", stderr: "" });
  });

  test("docs/compatibility.md, keys and defaults: /var/run/rcron/state is tried where the default state file can't be read", async () => {
    const ended = await onPrivateHost(`
      mkdir /etc/rcron /run/rcron; : > /etc/rcron/rcron.conf
      echo passive > /run/rcron/state
      rcron echo never
      rcron --explain true | sed -n '/^state/,/note/s/  */ /gp'
      echo active > /run/rcron/state; rcron echo second
      echo passive > /run/rcron.state; rcron echo never
      echo 'state_file = /var/run/other' > /etc/rcron/rcron.conf; rcron echo default`);
    expect(ended.stdout).toBe(
      "state passive: the state file /var/run/rcron/state says passive\n" +
        " note /var/run/rcron.state can't be read, and is the default\n" +
        "second\ndefault\n",
    );
    expect(ended.stderr).toBe(
      "rcron: warning: can't read the state file /var/run/other: no such file or directory: going on with default_state (active)\n",
    );
  });

  test("docs/compatibility.md, state file unreadable: permission denied is a warning, and default_state holds", async () => {
    const ended = await onPrivateHost(`
      mkdir /etc/rcron; echo 'default_state = passive' > /etc/rcron/rcron.conf
      echo active > /run/rcron.state; chmod 600 /run/rcron.state
      ${asNobody} rcron echo never; rcron echo root`);
    expect(ended.stdout).toBe("root\n");
    expect(ended.stderr).toBe(
      "rcron: warning: can't read the state file /var/run/rcron.state: permission denied: going on with default_state (passive)\n",
    );
  });

  test("docs/compatibility.md, priority: a level that needs privilege is a warning, and the job runs at the present one", async () => {
    const ended = await onPrivateHost(`
      mkdir /etc/rcron; echo 'nice_level = -5' > /etc/rcron/rcron.conf; echo active > /run/rcron.state
      nice -n 4 ${asNobody} rcron nice; rcron nice`);
    expect(ended.stdout).toBe("4\n-5\n");
    expect(ended.stderr).toBe(
      "rcron: warning: can't set the priority to nice_level -5: permission denied: going on at the present priority\n",
    );
  });

  test("--generate at the default paths, for a folder that nobody else may write", async () => {
    const ended = await onPrivateHost(`
      rcron --generate; cat /run/rcron.state; stat -c %a /run/rcron.state
      ${asNobody} rcron --generate || echo "exit $?"`);
    expect(ended.stdout).toBe("active\n644\nexit 125\n");
    expect(ended.stderr).toContain("rcron: /var/run/rcron.state must be writable: permission denied\n");
  });
});

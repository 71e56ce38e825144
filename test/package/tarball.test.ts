/** The tarball and its install.sh: installed under a prefix, used, installed again, and taken away. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost, onPrivateHost } from "../support/private-host.ts";
import { run, temporaryFolder } from "../support/program.ts";
import { makePackage, packagingNeeds } from "./packages.ts";

setDefaultTimeout(120_000);

const scratch = temporaryFolder();
let made: string | undefined;
let unpacked: string | undefined;
/** The tarball for this kind of machine. */
function tarball(): string {
  made ??= makePackage({ form: "tarball", outdir: join(scratch.path, "first") });
  return made;
}
/** The folder that comes out of it. */
function folder(): string {
  if (unpacked === undefined) {
    Bun.spawnSync(["tar", "-xf", tarball(), "-C", scratch.path], { timeout: 60_000 });
    unpacked = join(scratch.path, `rcron-${version}-linux-${process.arch === "arm64" ? "arm64" : "x64"}`);
  }
  return unpacked;
}
const install = (...words: string[]) => run([join(folder(), "install.sh"), ...words], { timeoutMs: 60_000 });
afterAll(() => scratch[Symbol.dispose]());

describeWith("the tarball", packagingNeeds, () => {
  beforeAll(() => {
    folder();
  });

  test("is made by the same sources with the same bytes, with one processor and a strict umask", () => {
    const again = makePackage({
      form: "tarball",
      outdir: join(scratch.path, "second"),
      through: ["taskset", "-c", "0", "sh", "-c", 'umask 077; exec "$@"', "sh"],
      env: { TZ: "Asia/Tokyo", TMPDIR: scratch.path },
    });
    expect(Bun.hash(readFileSync(again))).toBe(Bun.hash(readFileSync(tarball())));
  });

  test("is one folder, with install.sh, README.md and the license at its top", () => {
    expect(readdirSync(folder()).sort()).toEqual(["LICENSE", "README.md", "files", "install.sh"]);
  });

  test("installs below --destdir without root, and --uninstall leaves nothing", async () => {
    using place = temporaryFolder();
    const words = ["--prefix", "/opt/rcron", `--destdir=${place.path}`];
    expect(await install(...words)).toMatchObject({ exitCode: 0, stderr: "" });
    const said = await run([join(place.path, "opt/rcron/bin/rcronctl"), "--version"]);
    expect(said.stdout).toBe(`rcronctl ${version}\n`);
    expect(existsSync(join(place.path, "etc/rcron/rcron.conf"))).toBe(true);
    expect(await install(...words, "--uninstall")).toMatchObject({ exitCode: 0, stderr: "" });
    expect(readdirSync(place.path)).toEqual([]);
  });

  test("names its own prefix in every script, unit and page", async () => {
    using place = temporaryFolder();
    await install("--prefix=/opt/rcron", "--destdir", place.path);
    const { stdout } = await run(["grep", "-rIEl", "/usr/(bin/rcron|share/(doc/)?rcron)", place.path]);
    expect(stdout).toBe("");
    const unit = readFileSync(join(place.path, "opt/rcron/lib/systemd/system/rcron-state.service"), "utf8");
    expect(unit).toContain("\nExecStart=/opt/rcron/bin/rcron --generate\n");
    const scheduler = readFileSync(join(place.path, "opt/rcron/lib/systemd/system/rcrond.service"), "utf8");
    expect(scheduler).toContain("\nExecStart=/opt/rcron/bin/rcrond $RCROND_OPTIONS\n");
    expect(readFileSync(join(place.path, "etc/init.d/rcrond"), "utf8")).toContain(
      "\nRCROND=/opt/rcron/bin/rcrond\n",
    );
  });

  test("installed again, it replaces a program, keeps a changed configuration and says so, and renews an unchanged one", async () => {
    using place = temporaryFolder();
    const at = (path: string) => join(place.path, path);
    await install("--destdir", place.path);
    writeFileSync(at("etc/rcron/rcron.conf"), "default_state = passive\n");
    // As an older version would have left them.
    writeFileSync(at("usr/local/bin/rcron"), "an older program");
    writeFileSync(at("etc/keepalived/rcron/notify.sh"), "as it was shipped");
    const { stdout: sum } = await run([
      "sh",
      "-c",
      `cksum <${at("etc/keepalived/rcron/notify.sh")} | tr ' ' -`,
    ]);
    const note = at("usr/local/share/rcron/installed");
    const lines = readFileSync(note, "utf8");
    writeFileSync(
      note,
      `${lines.replace(/ \S+ (\/etc\/keepalived\/rcron\/notify.sh)$/m, ` ${sum.trim()} $1`)}file 1-1 /usr/local/bin/older-part\n`,
    );
    writeFileSync(at("usr/local/bin/older-part"), "");

    const again = await install("--destdir", place.path);
    expect(again).toMatchObject({ exitCode: 0, stderr: "" });
    expect(again.stdout).toContain(`kept: ${at("etc/rcron/rcron.conf")} was changed here`);
    expect(readFileSync(at("etc/rcron/rcron.conf"), "utf8")).toBe("default_state = passive\n");
    expect(readFileSync(at("etc/keepalived/rcron/notify.sh"), "utf8")).toStartWith("#!/bin/sh\n");
    expect((await run([at("usr/local/bin/rcron"), "--version"])).stdout).toBe(`rcron ${version}\n`);
    expect(existsSync(at("usr/local/bin/older-part"))).toBe(false);

    const gone = await install("--destdir", place.path, "--uninstall");
    expect(gone.stdout).toContain(`kept: ${at("etc/rcron/rcron.conf")} was changed here`);
    const { stdout: left } = await run(["find", place.path, "-type", "f"]);
    expect(left).toBe(`${at("etc/rcron/rcron.conf")}\n`);
  });

  test.each([
    { words: ["--prefix", "here"], says: "--prefix must be an absolute path: got 'here'" },
    { words: ["--prefix=/opt/a b"], says: "--prefix may have letters, digits and" },
    { words: ["--destdir"], says: "--destdir must be followed by a folder" },
    { words: ["--frob"], says: "unknown option: --frob" },
  ])("$words is wrong use: exit 2", async ({ words, says }) => {
    const ended = await install(...words);
    expect(ended).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringContaining(says) });
  });

  test("refuses to overwrite what it has not installed, before it changes anything", async () => {
    using place = temporaryFolder();
    mkdirSync(join(place.path, "usr/local/bin"), { recursive: true });
    writeFileSync(join(place.path, "usr/local/bin/rcron"), "somebody else's");
    const ended = await install("--destdir", place.path);
    expect(ended).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("has not installed it") });
    expect((await run(["find", place.path, "-type", "f"])).stdout).toBe(
      `${place.path}/usr/local/bin/rcron\n`,
    );
  });

  test("refuses to take away what was never installed", async () => {
    using place = temporaryFolder();
    const ended = await install("--destdir", place.path, "--uninstall");
    expect(ended).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("nothing is noted in") });
  });
});

describeOnPrivateHost(
  "install.sh on a machine",
  [...packagingNeeds, "systemd-analyze", "update-rc.d", "setpriv"],
  () => {
    const prepare = (script: string) =>
      onPrivateHost(
        `
    for folder in /usr/local /root; do mount -t tmpfs tmpfs $folder; done
    rm -f /usr/bin/rcron
    unpacked='${folder()}'
    list() { find /etc /run /usr/local /root \\( -path '/run/list*' -o -path /run/systemd -o -path '/etc/init.d/.depend.*' \\) -prune -o -printf '%y %m %U:%G %p %l\\n' | sort; }
    ${script}`,
        60_000,
      );

    test("installs in /usr/local, seeds at boot by systemd's tools or the init script, and is gone after --uninstall, but for the record", async () => {
      const ended = await prepare(`
      [ ! -x /sbin/insserv ] || insserv -f # so that a later call finds everything in order
      list >/run/list-before
      "$unpacked/install.sh" >/run/list-said
      /usr/local/bin/rcron --version
      systemctl enable /usr/local/lib/systemd/system/rcron-state.service 2>/dev/null
      find /etc/systemd/system -name 'rcron*' -printf '%f -> %l\\n'
      systemd-analyze verify --man=no rcron-state.service
      update-rc.d rcron defaults
      service rcron start | sed 's/\\.$//' # lsb-base ends it with a full stop
      /etc/keepalived/rcron/notify-backup.sh >/dev/null
      head -n 1 /run/rcron.state
      rcronctl state set active >/dev/null
      /usr/local/bin/rcron --overlap skip echo ran
      sh -c 'cd "$0" && ./install.sh --uninstall' "$unpacked"
      list >/run/list-after
      diff /run/list-before /run/list-after`);
      expect(ended).toEqual({
        exitCode: 0,
        stderr: "",
        stdout: `rcron ${version}
rcron-state.service -> /usr/local/lib/systemd/system/rcron-state.service
rcron: active, written to /var/run/rcron.state
passive
ran
install.sh: kept: /var/lib/rcron has the record of runs; remove it yourself if it is not wanted
install.sh: rcron is gone from /usr/local. Crontab lines that name it fail from now on.
`,
      });
    });

    test.each([
      {
        title: "a user who may not write there",
        script: `chmod -R a+rX "$unpacked"; chmod a+x "$unpacked/.."; action="setpriv --reuid nobody --clear-groups $unpacked/install.sh"`,
        says: "can't write to",
      },
      {
        title: "the Debian package there already",
        script: `printf '#!/bin/sh\\necho install ok installed\\n' >/usr/bin/dpkg-query; action=$unpacked/install.sh`,
        says: "rcron is installed here as a Debian package",
      },
      {
        title: "a program for another kind of machine",
        script: `cp -r "$unpacked" /run/other; printf '\\177ELF' >/run/other/files/usr/bin/rcron; action=/run/other/install.sh`,
        says: "does not run on this machine",
      },
    ])("refuses, and changes nothing, with $title", async ({ script, says }) => {
      const ended = await prepare(`${script}
      list >/run/list-before
      code=0; $action || code=$?
      list >/run/list-after
      diff /run/list-before /run/list-after
      echo "exit $code"`);
      expect(ended).toMatchObject({ exitCode: 0, stdout: "exit 1\n", stderr: expect.stringContaining(says) });
    });
  },
);

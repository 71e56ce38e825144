/** The Debian package: made, looked at, and lived with by a real dpkg, cron and init system's tools. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDeb, readChangelog } from "../../bin/package/deb.ts";
import { placedFiles } from "../../bin/package/places.ts";
import manifest from "../../package.json";
import { describeWith } from "../support/debian.ts";
import { describeOnPrivateHost } from "../support/private-host.ts";
import { binary, project, run, temporaryFolder } from "../support/program.ts";
import { cronNeeds, cronRuns, failuresByCommand, linesOf, play, type Scene } from "../system/daemons.ts";
import { makePackage, ownMachine, packagingNeeds } from "./packages.ts";

setDefaultTimeout(120_000);

const { version } = manifest;
const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const scratch = temporaryFolder();
const { debianVersion } = readChangelog(project);
let made: string | undefined;
/** The package for this kind of machine. */
function deb(): string {
  made ??= makePackage({ form: "deb", outdir: join(scratch.path, "first") });
  return made;
}
let root: string | undefined;
/** Its content and its control files, in a folder. */
function extracted(): string {
  if (root === undefined) {
    root = join(scratch.path, "extracted");
    Bun.spawnSync(["dpkg-deb", "--raw-extract", deb(), root], { timeout: 60_000 });
  }
  return root;
}
afterAll(() => scratch[Symbol.dispose]());

interface Packed {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly path: string;
}

let packed: Packed[] | undefined;
/** What `dpkg-deb --contents` says, without the folders. */
async function contents(): Promise<Packed[]> {
  if (packed !== undefined) return packed;
  const { stdout } = await run(["dpkg-deb", "--contents", deb()], { timeoutMs: 60_000 });
  packed = stdout
    .trimEnd()
    .split("\n")
    .map((line) => /^(.)(\S+) (\S+) +\d+ \S+ \S+ \.(\S+)/.exec(line) ?? [])
    .map(([, kind = "", mode = "", owner = "", path = ""]) => ({ kind, mode, owner, path }))
    .filter(({ kind }) => kind !== "d");
  return packed;
}

async function controlFile(name: string): Promise<string> {
  return (await run(["dpkg-deb", "--info", deb(), name], { timeoutMs: 60_000 })).stdout;
}

describeWith("the Debian package", packagingNeeds, () => {
  beforeAll(() => {
    deb();
  });

  test("is made by the same sources with the same bytes: elsewhere, later, with one processor and a strict umask", () => {
    const again = makePackage({
      form: "deb",
      outdir: join(scratch.path, "second"),
      through: ["taskset", "-c", "0", "sh", "-c", 'umask 077; exec "$@"', "sh"],
      env: { TZ: "Asia/Tokyo", LC_ALL: "C.UTF-8", TMPDIR: scratch.path },
    });
    expect(sha256(readFileSync(again))).toBe(sha256(readFileSync(deb())));
  });

  test("names itself: version, kind of machine, what it needs", async () => {
    const control = await controlFile("control");
    expect(deb()).toEndWith(`/rcron_${debianVersion}_${process.arch === "arm64" ? "arm64" : "amd64"}.deb`);
    expect(control).toContain(`\nVersion: ${debianVersion}\n`);
    expect(control).toContain("\nDepends: libc6 (>= 2.17)\n");
    expect(Number(/^Installed-Size: (\d+)$/m.exec(control)?.[1])).toBeGreaterThan(100_000);
    expect(control).not.toMatch(/@[A-Z_]+@/);
  });

  test("everything in it is root's, and nobody else may write to it", async () => {
    const strange = (await contents()).filter(
      ({ owner, mode, kind }) =>
        owner !== "root/root" || (kind !== "l" && !/^rw[x-]r-[x-]r-[x-]$/.test(mode)),
    );
    expect(strange).toEqual([]);
  });

  test("all of it in /etc is configuration, and nothing else is", async () => {
    const inEtc = (await contents()).map(({ path }) => path).filter((path) => path.startsWith("/etc/"));
    expect((await controlFile("conffiles")).trimEnd().split("\n")).toEqual(inEtc.sort());
    expect(inEtc).toContain("/etc/rcron/rcron.conf");
  });

  test("the program in it is the built one, byte for byte: nothing has stripped it", () => {
    expect(sha256(readFileSync(join(extracted(), "usr/bin/rcron")))).toBe(sha256(readFileSync(binary)));
  });

  test("says whose work is in it, with the licenses in full", () => {
    const copyright = readFileSync(join(extracted(), "usr/share/doc/rcron/copyright"), "utf8");
    expect(copyright).not.toMatch(/@[A-Z_]+@/);
    for (const license of ["LICENSE", "node_modules/nodemailer/LICENSE"]) {
      const lines = readFileSync(join(project, license), "utf8").split("\n");
      const text = lines.filter((line) => line !== "" && line !== "MIT License");
      for (const line of text) expect(copyright).toContain(line.replace(/^Copyright \(c\) /, ""));
    }
    const { dependencies } = manifest;
    for (const name of Object.keys(dependencies))
      expect(copyright).toContain(`\nFiles: node_modules/${name}/*\n`);
  });

  test("has the documents that the manual pages and the README send their readers to", async () => {
    const shipped = (await contents()).map(({ path }) => path);
    for (const name of ["rules", "record", "mail"])
      expect(shipped).toContain(`/usr/share/doc/rcron/${name}.md`);
  });

  test("is not made where its changelog and package.json disagree about the version", () => {
    expect(() =>
      makeDeb({
        project,
        program: binary,
        version: "99.0.0",
        scratch: scratch.path,
        outdir: scratch.path,
        target: "x64",
        epoch: 0,
        isFast: true,
      }),
    ).toThrow(`etc/debian/changelog must begin with an entry for version 99.0.0 of package.json`);
  });
});

describe("the table of places", () => {
  const placed = placedFiles(project);

  test("has every file of etc/ that is not a tool of packaging itself", () => {
    const files = readdirSync(join(project, "etc"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(project.length + 1))
      .filter((name) => !name.startsWith("etc/debian/") && name !== "etc/install.sh");
    expect(
      [...new Set(placed.map(({ from }) => from).filter((from) => from.startsWith("etc/")))].sort(),
    ).toEqual(files.sort());
  });

  test.each(placed.filter(({ from, path }) => from.startsWith("etc/") && !path.includes("/examples/")))(
    "puts $from where its first lines say: $path",
    ({ from, path }) => {
      const text = readFileSync(join(project, from), "utf8");
      const [opening = ""] = text.split(/^[^#\n]/m);
      expect(opening).toContain(path.replace(/\/_[a-z]+$/, ""));
    },
  );
});

const armRoot = "/usr/aarch64-linux-gnu";
describeWith(
  "the package for arm64",
  [...packagingNeeds, "qemu-aarch64-static", `${armRoot}/lib/ld-linux-aarch64.so.1`],
  () => {
    test("is made here, says arm64, and holds a program for it", () => {
      const file = makePackage({ form: "deb", outdir: join(scratch.path, "arm64"), target: "arm64" });
      expect(file).toEndWith(`/rcron_${debianVersion}_arm64.deb`);
      const field = Bun.spawnSync(["dpkg-deb", "--field", file, "Architecture"], { timeout: 60_000 });
      expect(field.stdout.toString()).toBe("arm64\n");
      const extract = `dpkg-deb --fsys-tarfile ${file} | tar -xO ./usr/bin/rcron | head -c 20`;
      const { stdout } = Bun.spawnSync(["sh", "-c", extract], { timeout: 60_000 });
      expect(stdout.readUInt16LE(18)).toBe(183); // EM_AARCH64
    });
  },
);

/** A later package: another version of the same files; `conf` is added to its rcron.conf. */
function laterPackage(revision: string, conf = ""): string {
  const root = extracted();
  const control = readFileSync(join(root, "DEBIAN/control"), "utf8");
  writeFileSync(
    join(root, "DEBIAN/control"),
    control.replace(/^Version: .*$/m, `Version: ${version}-${revision}`),
  );
  appendFileSync(join(root, "etc/rcron/rcron.conf"), conf);
  const file = join(scratch.path, `${revision}.deb`);
  Bun.spawnSync(["dpkg-deb", "--root-owner-group", "-Znone", "--build", root, file], { timeout: 60_000 });
  return file;
}

const runCrontab = (command: string) =>
  cronRuns({ environment: ["PATH=/usr/bin:/bin", "MAILTO=root"], lines: [command] });

/** Install, use, upgrade twice, remove, install again, purge. */
const life = (first: string, second: string, third: string) => `
rmdir /etc/rcron
${ownMachine}
status_of() { "$@" && echo 0 || echo $?; }
start_rsyslog
[ ! -x /sbin/insserv ] || insserv -f # so that a later call finds everything in order
${runCrontab("true")}
list_files >/run/out/before
cd /run/out

dpkg -i ${first} </dev/null >said-install 2>&1
dpkg --verify rcron >verified 2>&1
for face in rcron rcrond rcronctl; do $face --version; done >versions
find /etc/systemd/system -name 'rcron*' -printf '%p\\n' >enabled
ls /etc/rc2.d >order
ls /run/rcron.state >seeded 2>&1 || :
systemd-analyze verify --man=no rcron-state.service rcron.service rcrond.service >unit 2>&1; echo $? >>unit
mkdir /run/generated
SYSTEMD_LOG_TARGET=console /lib/systemd/system-generators/systemd-sysv-generator /run/generated /run/generated /run/generated 2>/dev/null
find /run/generated -name 'rcron*' >generated
rm -r /run/generated
man -w rcron rcronctl rcrond rcron.conf >manuals 2>&1 || :

sed -i -e 's/^default_state = active/#&/' -e 's/^#default_state = passive/default_state = passive/' /etc/rcron/rcron.conf
invoke-rc.d rcron start >said-start 2>&1
service rcron status >said-status 2>&1
cp /run/rcron.state word-at-boot
${runCrontab("rcron echo first")}
/etc/keepalived/rcron/notify-master.sh
${runCrontab("rcron --overlap skip --timeout 1m echo second")}
stat -c '%a %U %n' /var/lib/rcron /var/lib/rcron/journal /run/rcron/locks >record-made
status_of rcronctl why echo >why 2>&1

# In rcrond's place, as the process table and the init script know it.
cp /bin/sleep /mnt/rcrond
/mnt/rcrond 600 &
echo $! >/run/rcrond.pid
update-rc.d rcrond enable # under systemd too

systemctl disable rcron-state.service 2>/dev/null
word() { stat -c '%i %.Y' /run/rcron.state; cat /run/rcron.state; }
word >word-before
status_of dpkg -i ${second} </dev/null >said-upgrade 2>&1
sed '/^#/d;/^$/d' /etc/rcron/rcron.conf >conf-kept
status_of dpkg -i ${third} </dev/null >said-conflict 2>&1
sed '/^#/d;/^$/d' /etc/rcron/rcron.conf >conf-in-conflict
status_of dpkg --force-confold --configure -a </dev/null >said-confold 2>&1
sed '/^#/d;/^$/d' /etc/rcron/rcron.conf >conf-after
ls /etc/rcron >conf-folder
dpkg-query -W -f '\${Version} \${db:Status-Status}' rcron >now-installed
find /etc/systemd/system -name 'rcron*' -printf '%p\\n' >enabled-after
word >word-after
runs rcrond >rcrond-upgraded
ls /etc/rc2.d >order-upgraded

echo '0 3 * * * rcron nightly' | crontab -
dpkg -r rcron >said-remove 2>&1
runs rcrond >rcrond-removed
find /usr /lib/systemd -name '*rcron*' >left-by-remove
stat -c %a /etc/init.d/rcron /etc/init.d/rcrond >init-removed
ls /var/lib/rcron >record-removed
status_of rcron --version >gone 2>&1
dpkg --force-confold -i ${third} </dev/null >said-again 2>&1
stat -c %a /etc/init.d/rcron /etc/init.d/rcrond >init-again
word >word-again
rcronctl runs --all --json >runs-again

dpkg -P rcron >said-purge 2>&1
crontab -r
runs rcron >still-running
dpkg-query -W rcron >known 2>&1 || :
find /var/lib/dpkg /var/lib/systemd -name '*rcron*' >>known
cd /
list_files >/run/out/after
`;

describeOnPrivateHost(
  "the Debian package on a machine",
  [...cronNeeds, ...packagingNeeds, "systemd-analyze", "update-rc.d"],
  () => {
    let played: Promise<Scene> | undefined;
    const scene = () => {
      played ??= play(
        life(deb(), laterPackage("2"), laterPackage("3", "\n# A new line of the package's own.\n")),
        110_000,
      );
      return played;
    };
    const file = async (name: string) => (await scene()).files[name] ?? `no file ${name}`;

    test("installs, and dpkg finds each file as it was packed", async () => {
      expect(await file("versions")).toBe(`rcron ${version}\nrcrond ${version}\nrcronctl ${version}\n`);
      expect(await file("verified")).toBe("");
    });

    test("is enabled for the next boot, under systemd once, and passes systemd-analyze verify", async () => {
      expect(await file("enabled")).toBe("/etc/systemd/system/multi-user.target.wants/rcron-state.service\n");
      expect(await file("unit")).toBe("0\n");
      expect(await file("generated")).toBe(""); // no second unit from the init script
    });

    test("leaves rcrond to who wants it: an upgrade neither starts nor stops it, and says that the old one goes on; a removal ends it", async () => {
      expect(await file("order")).not.toMatch(/^S\d\drcrond$/m);
      expect(await file("order")).toMatch(/^K\d\drcrond$/m);
      expect(await file("order-upgraded")).toMatch(/^S\d\drcrond$/m);
      expect(await file("said-install")).not.toContain("rcrond");
      expect(await file("said-upgrade")).toContain("rcron: rcrond goes on as the version of before");
      expect(await file("rcrond-upgraded")).toBe("1\n");
      expect(await file("rcrond-removed")).toBe("0\n");
    });

    test("man finds every page", async () => {
      expect((await file("manuals")).replace(/^.*\//gm, "")).toBe(
        "rcron.8.gz\nrcronctl.8.gz\nrcrond.8.gz\nrcron.conf.5.gz\n",
      );
    });

    test("decides nothing: no word is written, and the operator is told to", async () => {
      expect(await file("seeded")).toContain("No such file");
      expect(await file("said-install")).toContain("decide about default_state");
    });

    test("its init script answers invoke-rc.d and service", async () => {
      expect(await file("said-start")).toContain("rcron: passive, written to /var/run/rcron.state");
      expect(await file("said-status")).toBe("rcron: passive, says /var/run/rcron.state\n");
      expect((await file("word-at-boot")).split("\n", 1)).toEqual(["passive"]);
    });

    test("works from cron: passive first, then active by keepalived's script", async () => {
      const runs = linesOf(await scene(), "rcron").filter(({ message }) => message.includes(" cmd="));
      expect(runs.map(({ message }) => message)).toEqual([
        "cluster=default_cluster state=passive status=ignore cmd=echo first",
        "cluster=default_cluster state=active status=start cmd=echo second",
        "cluster=default_cluster state=active status=ok dur=0 cmd=echo second",
      ]);
      expect(failuresByCommand(await scene())).toEqual({});
      const mails = (await scene()).mails.map(({ subject, body }) => [subject.replace(/^.*> /, ""), body]);
      expect(mails).toEqual([["rcron --overlap skip --timeout 1m echo second", "second\n"]]);
    });

    test("the first run makes the record, for root alone, and rcronctl answers from it", async () => {
      expect(await file("record-made")).toBe(
        "700 root /var/lib/rcron\n600 root /var/lib/rcron/journal\n700 root /run/rcron/locks\n",
      );
      expect(await file("why")).toMatch(/succeeded[\s\S]*\n0\n$/);
    });

    test("an upgrade asks nothing and keeps a changed rcron.conf", async () => {
      const said = await file("said-upgrade");
      expect(said).toEndWith("\n0\n");
      expect(said).not.toContain("rcron.conf");
      expect(await file("conf-kept")).toContain("\ndefault_state = passive\n");
    });

    test("an upgrade that changes rcron.conf as well leaves the choice to the operator, and his file as it is", async () => {
      const said = await file("said-conflict");
      expect(said).toContain("conffile prompt");
      expect(said).toEndWith("\n1\n");
      expect(await file("conf-in-conflict")).toBe(await file("conf-kept"));
      expect(await file("said-confold")).toEndWith("\n0\n");
      expect(await file("conf-after")).toBe(await file("conf-kept"));
      expect(await file("conf-folder")).toBe("rcron.conf\nrcron.conf.dpkg-dist\n");
      expect(await file("now-installed")).toBe(`${version}-3 installed`);
    });

    test("no upgrade touches the word, enables what was disabled, or disables what was enabled", async () => {
      expect(await file("word-before")).toContain("\nactive\n");
      expect(await file("word-after")).toBe(await file("word-before"));
      expect(await file("word-again")).toBe(await file("word-before"));
      expect(await file("enabled-after")).toBe(
        "/etc/systemd/system/multi-user.target.wants/rcrond.service\n",
      );
    });

    test("a removal keeps configuration, rests the init scripts, and names the crontabs that still want rcron", async () => {
      expect(await file("left-by-remove")).toBe("");
      expect(await file("init-removed")).toBe("644\n644\n");
      expect(await file("init-again")).toBe("755\n755\n");
      expect(await file("said-remove")).toContain("    /var/spool/cron/crontabs/root\n");
      expect(await file("gone")).toEndWith("127\n");
    });

    test("a removal keeps the record, and a later installation goes on with it", async () => {
      expect(await file("record-removed")).toMatch(/^history\.db$/m);
      // JSON of ours, looked at in the next line.
      const runs = JSON.parse(await file("runs-again")) as { command: string; state: string }[];
      expect(runs.map(({ command, state }) => `${command}: ${state}`)).toEqual([
        "echo first: skipped",
        "echo second: succeeded",
      ]);
    });

    test("purged, it leaves nothing behind", async () => {
      expect(await file("after")).toBe(await file("before"));
      expect(await file("known")).toBe("dpkg-query: no packages found matching rcron\n");
      expect(await file("still-running")).toBe("0\n");
    });
  },
);

describeOnPrivateHost("update-rc.d with insserv", ["insserv", "update-rc.d", "dist/rcron"], () => {
  test("puts the init script before cron and keepalived", async () => {
    const { files } = await play(`
      install -m 755 $etc/rcron.init /etc/init.d/rcron
      update-rc.d rcron defaults
      ls /etc/rc2.d >/run/out/order`);
    const rank = (name: string) =>
      Number(new RegExp(`^S(\\d\\d)${name}$`, "m").exec(files["order"] ?? "")?.[1]);
    expect(rank("rcron")).toBeLessThan(rank("cron"));
    expect(rank("rcron")).toBeLessThan(rank("keepalived"));
  });
});

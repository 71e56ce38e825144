/** A user's view: put the files where their first lines say, use rcron from a crontab, and take everything away again. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { version } from "../../package.json";
import { describeOnPrivateHost } from "../support/private-host.ts";
import { cronNeeds, cronRuns, failuresByCommand, linesOf, play, type Scene } from "./daemons.ts";

setDefaultTimeout(60_000);

interface Seeding {
  readonly needs: readonly string[];
  readonly install: string;
  readonly boot: string;
  readonly remove: string;
}

/** The ways of giving a machine its word at boot. */
const seedings: Record<string, Seeding> = {
  "the tmpfiles line": {
    needs: ["systemd-tmpfiles"],
    install: "install -m 644 /run/package/etc/rcron.tmpfiles.conf /etc/tmpfiles.d/rcron.conf",
    boot: "systemd-tmpfiles --create /etc/tmpfiles.d/rcron.conf",
    remove: "rm /etc/tmpfiles.d/rcron.conf",
  },
  "the init script": {
    needs: [],
    install: `install -m 755 /run/package/etc/rcron.init /etc/init.d/rcron
echo RCRON=/usr/local/bin/rcron >/etc/default/rcron`,
    boot: "/etc/init.d/rcron start",
    remove: "/etc/init.d/rcron stop; rm /etc/init.d/rcron /etc/default/rcron",
  },
};

const runCrontab = (command: string) =>
  cronRuns({ environment: ["PATH=/usr/local/bin:/usr/bin:/bin", "MAILTO=root"], lines: [command] });

/** The package is kept aside, so that every folder which an install, a use or a removal could touch is private. */
const life = ({ install, boot, remove }: Seeding) => `
rmdir /etc/rcron
mkdir -p /run/package/etc /run/kept
: >/run/package/rcron
mount --bind "$(readlink -f /usr/bin/rcron)" /run/package/rcron
mount --bind "$etc" /run/package/etc
mount --bind "$out" /run/kept
out=/run/kept
rm /usr/bin/rcron
for folder in /usr/local /root /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
mkdir /usr/local/bin
cd /
start_rsyslog
${runCrontab("true")}

list_files() {
  find /etc /run /usr/local /usr/bin /root /tmp /var/tmp /var/mail /var/spool/cron /var/spool/dma /var/log /dev \\
    \\( -path /run/kept -o -path /run/package -o -path /run/out -o -path /dev/pts -o -path '/dev/shm/*faketime*' -o -path '/run/crond.*' -o -path /run/rsyslog.conf \\
      -o -path /var/log/all -o -path /var/mail/root \\) -prune \\
    -o -type d -printf '%y %m %U:%G %p\\n' -o ! -type c -printf '%y %m %U:%G %p %s %T@ %l\\n' | sort
}
list_files >/run/out/before

# Install.
install -m 755 /run/package/rcron /usr/local/bin/rcron
ln -s rcron /usr/local/bin/rcrond
ln -s rcron /usr/local/bin/rcronctl
install -D -m 644 /run/package/etc/rcron.conf.example /etc/rcron/rcron.conf
sed -i -e 's/^default_state = active/#&/' -e 's/^#default_state = passive/default_state = passive/' /etc/rcron/rcron.conf
mkdir -p /etc/keepalived/rcron
install -m 755 /run/package/etc/keepalived/notify*.sh /etc/keepalived/rcron
${install}
list_files >/run/out/installed
PATH=/usr/local/bin:$PATH
for face in rcron rcrond rcronctl; do $face --version; done >/run/out/versions

# Use.
${boot}
cp /run/rcron.state /run/out/word-at-boot
${runCrontab("rcron echo first")}
/etc/keepalived/rcron/notify-master.sh
rcron --explain echo second >/run/out/explained
${runCrontab("rcron echo second")}
/etc/keepalived/rcron/notify-backup.sh
${runCrontab("rcron echo third")}

# Remove.
${remove}
rm /usr/local/bin/rcron /usr/local/bin/rcrond /usr/local/bin/rcronctl
rm -r /etc/rcron /etc/keepalived/rcron
rmdir /etc/keepalived
rm /run/rcron.state /run/.rcron.state.lock
list_files >/run/out/after
runs rcron >/run/out/still-running
`;

for (const [name, seeding] of Object.entries(seedings)) {
  describeOnPrivateHost(
    `rcron installed under /usr/local, with ${name},`,
    [...cronNeeds, ...seeding.needs],
    () => {
      let played: Promise<Scene> | undefined;
      const scene = () => {
        played ??= play(life(seeding), 50_000);
        return played;
      };

      test("has three faces, by name", async () => {
        const { files } = await scene();
        expect(files["versions"]).toBe(`rcron ${version}\nrcrond ${version}\nrcronctl ${version}\n`);
      });

      test("is passive from boot on, until keepalived's script makes it active", async () => {
        const { files, mails } = await scene();
        expect(files["word-at-boot"]?.trim()).toBe("passive");
        expect(mails.map(({ subject, body }) => [subject.replace(/^.*> /, ""), body])).toEqual([
          ["rcron echo second", "second\n"],
        ]);
      });

      test("explains itself", async () => {
        const { files } = await scene();
        expect(files["explained"]).toContain("/etc/rcron/rcron.conf");
        expect(files["explained"]).toContain("active");
      });

      test("logs each run of the crontab, and cron sees no failure", async () => {
        const runs = linesOf(await scene(), "rcron").filter(({ message }) => message.includes(" cmd="));
        expect(runs.map(({ message }) => message)).toEqual([
          "cluster=default_cluster state=passive status=ignore cmd=echo first",
          "cluster=default_cluster state=active status=start cmd=echo second",
          "cluster=default_cluster state=active status=ok dur=0 cmd=echo second",
          "cluster=default_cluster state=passive status=ignore cmd=echo third",
        ]);
        expect(failuresByCommand(await scene())).toEqual({});
      });

      test("puts nothing anywhere but what was installed, the word and its lock; removed, it leaves nothing behind", async () => {
        const { files } = await scene();
        expect(files["installed"]).not.toBe(files["before"]);
        expect(files["after"]).toBe(files["before"] ?? "none");
        expect(files["still-running"]).toBe("0\n");
      });
    },
  );
}

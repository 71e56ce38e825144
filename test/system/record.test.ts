/** The record where its folder, its journal or its database is broken, full or shut: the job never hears of it. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { describeOnPrivateHost } from "../support/private-host.ts";
import {
  jobsOf,
  jsonOf,
  runsOf,
  supervisedStage,
  type ToldRun,
  tellRecord,
  warningsOf,
} from "../support/supervised.ts";
import { logNeeds, play } from "./daemons.ts";

setDefaultTimeout(120_000);

/** On a disk of its own: what is mounted over, moved or broken here must not be the machine's own folder. */
const folder = "/run/disk/record";

/** `report NAME` runs a supervised job that prints and fails, and leaves what it printed and its exit status in `NAME.out`. */
const stage = `${supervisedStage}
report() { ends_with rcron --name $1 --timeout 1m --output cron sh -c 'echo to stdout; echo to stderr >&2; exit 3' >/run/out/$1.out 2>/run/out/$1.err; }
record=${folder}
mkdir /run/disk
mount -t tmpfs -o size=1m,mode=700 tmpfs /run/disk
conf 'cluster_name = blue' 'log_format = extended' 'history = ${folder}'
fill() { cat /dev/zero >/run/disk/fill 2>/dev/null || :; }
`;

interface Break {
  readonly title: string;
  readonly damage: string;
  /** Of rcron, in the log; undefined: none. */
  readonly warning: string | undefined;
  /** What rcronctl says of it on standard error. */
  readonly says: RegExp;
  /** What makes it good again. */
  readonly mend: string;
  /** How many of the three runs (before, during, after) are told in the end. */
  readonly told: readonly string[];
}

const breaks: readonly Break[] = [
  {
    title: "on a full disk",
    damage: `fill; yes '' >>${folder}/journal 2>/dev/null || :`,
    warning: "no space left on device",
    says: /^(rcronctl: warning: the record in \/run\/disk\/record can't be written: .*\n)?$/,
    mend: "rm /run/disk/fill",
    told: ["before", "after"],
  },
  {
    title: "on a disk that was full before the database was made",
    damage: `rm ${folder}/history.db*; fill; yes '' >>${folder}/journal 2>/dev/null || :`,
    warning: "no space left on device",
    says: /^rcronctl: warning: the record in \/run\/disk\/record can't be written: .*\n$/,
    mend: "rm /run/disk/fill",
    told: ["before", "after"],
  },
  {
    title: "in a read-only folder",
    damage: `mount -o remount,ro /run/disk`,
    warning: "read-only file system",
    says: /^rcronctl: warning: the record in \/run\/disk\/record can't be written: read-only file system\n$/,
    mend: `mount -o remount,rw /run/disk`,
    told: ["before", "after"],
  },
  {
    title: "with a folder in the journal's place",
    damage: `mv ${folder}/journal ${folder}/kept; mkdir ${folder}/journal`,
    warning: "is a directory",
    says: /^rcronctl: warning: the journal can't be read: \/run\/disk\/record\/journal: not a regular file\n$/,
    mend: `rmdir ${folder}/journal; mv ${folder}/kept ${folder}/journal`,
    told: ["before", "after"],
  },
  {
    title: "with a FIFO in the journal's place",
    damage: `mv ${folder}/journal ${folder}/kept; mkfifo ${folder}/journal`,
    warning: "no such device or address",
    says: /^rcronctl: warning: the journal can't be read: \/run\/disk\/record\/journal: not a regular file\n$/,
    mend: `rm ${folder}/journal; mv ${folder}/kept ${folder}/journal`,
    told: ["before", "after"],
  },
  {
    title: "with a file in the folder's place",
    damage: `mv ${folder} ${folder}.real; : >${folder}`,
    warning: "not a directory",
    says: /^rcronctl: the record must be in a folder: \/run\/disk\/record is none\n$/,
    mend: `rm ${folder}; mv ${folder}.real ${folder}`,
    told: ["before", "after"],
  },
  {
    title: "with a corrupted database",
    damage: `head -c 100000 /dev/urandom >${folder}/history.db`,
    warning: undefined,
    says: /^rcronctl: warning: the record's database was broken: it is \S+ now, and begun anew\n$/,
    mend: ":",
    told: ["before", "during", "after"],
  },
  {
    title: "with a database that is corrupted in its middle",
    damage: `python3 -c 'f = open("${folder}/history.db", "r+b"); f.seek(4096); f.write(b"x" * 40000)'`,
    warning: undefined,
    says: /^rcronctl: warning: the record's database was broken: it is \S+ now, and begun anew\n$/,
    mend: ":",
    told: ["before", "during", "after"],
  },
  {
    title: "with half a line at the journal's end",
    damage: `printf '{"kind":"start","run":"torn' >>${folder}/journal`,
    warning: undefined,
    says: /^rcronctl: warning: 1 line of the journal can't be understood: passed over\n$/,
    mend: ":",
    told: ["before", "during", "after"],
  },
];

describeOnPrivateHost("a run and its record", [...logNeeds, "python3"], () => {
  test.concurrent.each(breaks)(
    "$title: the job runs as ever, the log has the one warning, the next run is recorded",
    async ({ damage, warning, says, mend, told }) => {
      const scene = await play(
        `${stage}
report before
rcronctl runs >/run/out/first
${damage}
report during
rcronctl runs --all >/run/out/shown 2>/run/out/said || :
${mend}
report after
${tellRecord}`,
        40_000,
      );
      for (const name of ["before", "during", "after"]) {
        expect(scene.files).toMatchObject({
          [`${name}.out`]: "to stdout\n3\n",
          [`${name}.err`]: "to stderr\n",
        });
      }
      expect(warningsOf(scene)).toEqual(
        warning === undefined ? [] : [`warning: the record in ${folder} can't be written: ${warning}`],
      );
      expect(scene.files["said"]).toMatch(says);
      const runs = runsOf(scene).filter(({ state }) => state === "failed");
      expect(runs.map(({ job }) => job)).toEqual([...told]);
    },
  );

  test.concurrent("whose end finds the disk full is told as interrupted, and the log has its end", async () => {
    const scene = await play(
      `${stage}
job fills <<'END'
#!/bin/sh
cat /dev/zero >/run/disk/fill 2>/dev/null
yes '' >>${folder}/journal 2>/dev/null
exit 3
END
ends_with rcron --timeout 1m fills >/run/out/status
rm /run/disk/fill
${tellRecord}`,
      40_000,
    );
    expect(scene.files["status"]).toBe("3\n");
    expect(warningsOf(scene)).toEqual([
      `warning: the record in ${folder} can't be written: no space left on device`,
    ]);
    expect(scene.log.filter(({ message }) => message.includes("status=fail"))).toHaveLength(1);
    expect(runsOf(scene).map(({ state }) => state)).toEqual(["interrupted"]);
  });

  test.concurrent("waits for nobody who has the record open: its lock is held, its database is locked", async () => {
    const scene = await play(
      `${stage}
report before
rcronctl runs >/run/out/first
python3 - <<'END' & holder=$!
import fcntl, sqlite3, time
lock = open("${folder}/history.lock")
fcntl.flock(lock, fcntl.LOCK_EX)
db = sqlite3.connect("${folder}/history.db", isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
open("/run/held", "w")
time.sleep(3600)
END
until_ok test -e /run/held
report during
kill $holder
wait $holder || :
${tellRecord}`,
      40_000,
    );
    expect(scene.files).toMatchObject({ "during.out": "to stdout\n3\n", "during.err": "to stderr\n" });
    expect(warningsOf(scene)).toEqual([]);
    expect(runsOf(scene).map(({ job }) => job)).toEqual(["before", "during"]);
  });
});

describeOnPrivateHost("a run whose machine goes down", [...logNeeds], () => {
  test.concurrent("is interrupted, and why says so in a sentence; the run after the boot is none the worse", async () => {
    const scene = await play(
      `${stage}
rcron --name backup --overlap skip --timeout 1h sh -c ': >/run/started; exec sleep 3333' & run=$!
until_ok test -e /run/started
rcronctl runs --json >/run/out/running.json
# The power goes: all processes with it, what is in memory, and the boot's id.
kill -9 $(pids_of rcron) $(pids_of sleep)
wait $run || :
until_ok none_runs sleep
sed -i "s/$(cat /proc/sys/kernel/random/boot_id)/00000000-0000-4000-8000-000000000000/" ${folder}/journal
rm -r ${folder}/history.db* /run/rcron/locks
rcronctl why backup >/run/out/why || :
rcronctl runs >/run/out/table
rcron --name backup --overlap skip true
${tellRecord}`,
      30_000,
    );
    expect(jsonOf<ToldRun[]>(scene, "running.json").map(({ state }) => state)).toEqual(["running"]);
    expect(scene.files["why"]).toMatch(/^interrupted: started at \S+; the machine went down while it ran\n$/);
    expect(scene.files["table"]).toMatch(/ backup +interrupted +the machine went down while it ran /);
    expect(runsOf(scene).map(({ state }) => state)).toEqual(["interrupted", "succeeded"]);
  });
});

describeOnPrivateHost("two hundred runs", [...logNeeds, "flock"], () => {
  test.concurrent("that end at the same time are two hundred starts and two hundred ends in the record", async () => {
    const scene = await play(
      `${stage}
mkfifo /run/let-go
flock -x /run/barrier sh -c ': >/run/closed; read word </run/let-go' & barrier=$!
until_ok test -e /run/closed
for n in $(seq 200); do rcron --name job-$((n % 7)) --timeout 10m --output if-error:cron flock -s /run/barrier echo $n & done
until [ "$(journal | grep -c '"kind":"start"')" = 200 ]; do sleep 0.1; done
rcronctl runs --limit 1000 --json >/run/out/running.json
echo go >/run/let-go
until none_runs rcron; do sleep 0.1; done
journal | grep -c '"kind":"end"' >/run/out/ends
${tellRecord}`,
      100_000,
    );
    expect(new Set(jsonOf<ToldRun[]>(scene, "running.json").map(({ state }) => state))).toEqual(
      new Set(["running"]),
    );
    expect(scene.files["ends"]).toBe("200\n");
    const runs = runsOf(scene);
    expect(runs.filter(({ state }) => state === "succeeded")).toHaveLength(200);
    expect(new Set(runs.map(({ run }) => run)).size).toBe(200);
    const totals = jobsOf(scene).flatMap((job) => job.totals.map(({ count }) => count));
    expect(totals.reduce((sum, count) => sum + count, 0)).toBe(200);
  });
});

describeOnPrivateHost("rcronctl, appended to a file,", [...logNeeds], () => {
  test.concurrent("leaves the file as it is where there is nothing to tell", async () => {
    const scene = await play(
      `${stage}
for words in "runs" "runs --failed" "jobs"; do
  echo "kept" >"/run/out/$words"
  rcronctl $words >>"/run/out/$words" 2>/dev/null
done`,
      30_000,
    );
    expect(scene.files).toMatchObject({ runs: "kept\n", "runs --failed": "kept\n", jobs: "kept\n" });
  });
});

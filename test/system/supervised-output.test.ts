/** A supervised job's output where it is rotated under the run, where the disk is full, and where there is a lot of it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { describeOnPrivateHost } from "../support/private-host.ts";
import { runsOf, supervisedStage, tellRecord, warningsOf } from "../support/supervised.ts";
import { linesOf, logNeeds, play, type Scene } from "./daemons.ts";

setDefaultTimeout(120_000);

/** A job that prints numbered lines until it is told to stop, and leaves their number; `rotate OPTION…` runs logrotate. */
const rotation = `${supervisedStage}
mkdir -m 755 /var/log/app
log=/var/log/app/out.log
job numbers <<'END'
#!/bin/sh
n=0
until [ -e /run/stop ]; do
  n=$((n + 1))
  echo "line $n of this job's output"
  [ $((n % 20)) != 0 ] || sleep 0.01
done
echo $n >/run/out/count
END
# So many lines with each /run/more that comes; it says when they are out.
job portions <<'END'
#!/bin/sh
n=0
until [ -e /run/stop ]; do
  [ -e /run/more ] || { sleep 0.01; continue; }
  rm /run/more
  for _ in $(seq 1000); do n=$((n + 1)); echo "line $n of this job's output"; done
  echo $n >/run/out/count
done
END
rotate() {
  { echo "$log {"; printf '  %s\\n' "rotate 20" nodateext "$@"; echo '}'; } >/run/logrotate.conf
  chmod 600 /run/logrotate.conf
  logrotate -f -s /run/logrotate.state /run/logrotate.conf
}
has_lines() { [ "$(cat /var/log/app/* | wc -l)" -ge $1 ]; }
portion() { : >/run/more; lines=$((\${lines:-0} + 1000)); until_ok has_lines $lines; }
gather() {
  for n in $(seq 20 -1 1); do [ ! -e $log.$n ] || cat $log.$n; done >/run/out/all
  cat $log >>/run/out/all
  ls /var/log/app >/run/out/files
  stat -c %a $log >/run/out/mode
}
`;

/** The lines of a file that a rotation's scene left, and those that the job printed. */
function printed(scene: Scene): { all: string; expected: string } {
  const count = Number(scene.files["count"]);
  const lines = Array.from({ length: count }, (_, index) => `line ${index + 1} of this job's output\n`);
  return { all: scene.files["all"] ?? "", expected: lines.join("") };
}

describeOnPrivateHost("logrotate on the output file of a job that runs", [...logNeeds, "logrotate"], () => {
  test.concurrent("renames and creates, four times while lines come: nothing is lost, nothing doubled, and the new files' mode is logrotate's", async () => {
    const scene = await play(
      `${rotation}
rcron --output $log numbers & run=$!
for n in 1 2 3 4; do until_ok test -s $log; sleep 0.1; rotate 'create 600'; done
until_ok test -s $log
: >/run/stop
wait $run
gather`,
      60_000,
    );
    const { all, expected } = printed(scene);
    expect(all.length).toBeGreaterThan(1000);
    expect(all).toBe(expected);
    expect(scene.files["files"]).toBe("out.log\nout.log.1\nout.log.2\nout.log.3\nout.log.4\n");
    expect(scene.files["mode"]).toBe("600\n");
    expect(warningsOf(scene)).toEqual([]);
  });

  test.concurrent("renames and does not create: the file is made anew", async () => {
    const scene = await play(
      `${rotation}
rcron --output $log numbers & run=$!
for n in 1 2; do until_ok test -s $log; rotate nocreate; done
until_ok test -s $log
: >/run/stop
wait $run
gather`,
      60_000,
    );
    const { all, expected } = printed(scene);
    expect(all).toBe(expected);
    expect(scene.files["mode"]).toBe("640\n");
  });

  test.concurrent("copies and truncates between a job's lines: nothing is lost, nothing doubled, and there are no holes", async () => {
    const scene = await play(
      `${rotation}
rcron --output $log portions & run=$!
for n in 1 2 3; do portion; rotate copytruncate; done
portion
: >/run/stop
wait $run
gather`,
      60_000,
    );
    const { all, expected } = printed(scene);
    expect(expected.length).toBeGreaterThan(100_000);
    expect(all).toBe(expected);
    expect(scene.files["files"]).toBe("out.log\nout.log.1\nout.log.2\nout.log.3\n");
  });

  test.concurrent("compresses with delaycompress: nothing is lost", async () => {
    const scene = await play(
      `${rotation}
rcron --output $log numbers & run=$!
for n in 1 2 3; do until_ok test -s $log; sleep 0.1; rotate create compress delaycompress; done
until_ok test -s $log
: >/run/stop
wait $run
gzip -d /var/log/app/*.gz
gather`,
      60_000,
    );
    const { all, expected } = printed(scene);
    expect(all).toBe(expected);
  });
});

/** A disk of 64 kB at /mnt/small, with `fill`, which leaves no room on it. */
const smallDisk = `${supervisedStage}
mkdir /mnt/small
mount -t tmpfs -o size=64k tmpfs /mnt/small
fill() { cat /dev/zero >$1/fill 2>/dev/null || :; }
job report <<'END'
#!/bin/sh
echo started
seq \${2:-10}
echo ended
exit $1
END
`;

describeOnPrivateHost("a full disk under an output file", [...logNeeds], () => {
  test.concurrent("costs what comes after it is full, and neither the job nor the other receivers", async () => {
    const scene = await play(
      `${smallDisk}
ends_with rcron --output /mnt/small/out --output cron report 3 20000 >/run/out/stdout 2>/run/out/stderr
mv /run/out/stdout /run/out/all
cp /mnt/small/out /run/out/file
{ echo started; seq 20000; echo ended; } >/run/out/expected
${tellRecord}`,
      30_000,
    );
    const { all = "", file = "", expected = "" } = scene.files;
    expect(all).toBe(`${expected}3\n`);
    expect(file.length).toBeWithin(32 * 1024, 64 * 1024 + 1);
    expect(expected).toStartWith(file);
    expect(warningsOf(scene)).toEqual([
      expect.stringMatching(/^warning: \/mnt\/small\/out: no space left on device$/),
      `warning: /mnt/small/out: ${expected.length - file.length} bytes of output were lost`,
    ]);
    expect(scene.files["stderr"]?.trimEnd().split("\n")).toEqual(
      warningsOf(scene).map((warning) => `rcron: ${warning}`),
    );
    expect(runsOf(scene)).toEqual([expect.objectContaining({ state: "failed", exit: 3 })]);
  });

  test.concurrent("that is full from the start", async () => {
    const scene = await play(
      `${smallDisk}
fill /mnt/small
ends_with rcron --output /mnt/small/out --output syslog report 0 3 >/run/out/status
${tellRecord}`,
      30_000,
    );
    expect(scene.files["status"]).toBe("0\n");
    expect(warningsOf(scene).at(0)).toContain("/mnt/small/out: no space left on device");
    const lines = linesOf(scene, "rcron").map(({ message }) => message);
    expect(lines.filter((line) => line.startsWith("report: "))).toEqual(
      ["started", "1", "2", "3", "ended"].map((line) => `report: ${line}`),
    );
    expect(runsOf(scene)).toEqual([expect.objectContaining({ state: "succeeded" })]);
  });
});

/** Runs a command, and leaves the greatest resident size, in kB, that any process of it had, and its exit status. */
const measured = `${supervisedStage}
cat >/run/measure.py <<'END'
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
open(sys.argv[1], "w").write("%d %d" % (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, status))
END
measure() { name=$1; shift; python3 /run/measure.py /run/out/$name "$@"; }
`;

describeOnPrivateHost("a gigabyte of output", [...logNeeds, "python3"], () => {
  describe("goes through rcron in less than 60 MB of memory", () => {
    const bytes = 1_000_000_000;
    test.concurrent("to a file and to cron", async () => {
      const scene = await play(
        `${measured}
measure rss rcron --name flood --output /dev/null --output cron head -c ${bytes} /dev/zero | wc -c >/run/out/bytes
${tellRecord}`,
        100_000,
      );
      const [kB, status] = (scene.files["rss"] ?? "").split(" ").map(Number);
      expect(status).toBe(0);
      expect(scene.files["bytes"]?.trim()).toBe(String(bytes));
      expect(kB).toBeLessThan(60_000);
      expect(runsOf(scene)).toEqual([expect.objectContaining({ state: "succeeded" })]);
    });

    test.concurrent("held until it is known whether the job fails, and given then", async () => {
      const scene = await play(
        `${measured}
mkdir /run/hold
mount -t tmpfs tmpfs /run/hold
conf 'log_format = extended' 'history = /run/hold'
measure rss rcron --name flood --output if-error:cron 'head -c ${bytes} /dev/zero; exit 3' | wc -c >/run/out/bytes
ls /run/hold >/run/out/left`,
        100_000,
      );
      const [kB, status] = (scene.files["rss"] ?? "").split(" ").map(Number);
      expect(status).toBe(3);
      expect(scene.files["bytes"]?.trim()).toBe(String(bytes));
      expect(kB).toBeLessThan(60_000);
      expect(scene.files["left"]).toBe("journal\n");
    });
  });
});

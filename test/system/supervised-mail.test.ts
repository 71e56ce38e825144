/** What supervised lines under the real cron mail through a real SMTP server, also when it is down. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { sinkNeeds } from "../notify/smtp-sink.ts";
import { describeOnPrivateHost } from "../support/private-host.ts";
import { project } from "../support/program.ts";
import {
  cronMinutes,
  jsonOf,
  runsOf,
  supervisedStage,
  tellRecord,
  ticksOf,
  warningsOf,
} from "../support/supervised.ts";
import { cronNeeds, play, type Scene } from "./daemons.ts";

setDefaultTimeout(120_000);

const line = "rcron --name mirror --output if-error:ops@example.org third-time-lucky";

const stage = `${supervisedStage}
conf 'cluster_name = blue' 'log_format = extended' 'mail_through = smtp://127.0.0.1:2525' 'mail_from = rcron@host.example'
start_sink() {
  python3 '${project}/test/notify/smtp-sink.py' 2525 >>/run/out/sink 2>/dev/null & sink=$!
  until_ok grep -q port /run/out/sink
}
# Fails in its first three runs.
job third-time-lucky <<'END'
#!/bin/sh
echo run >>/run/tries
[ $(wc -l </run/tries) -le 3 ] || exit 0
echo "the mirror is gone"
exit 4
END
has_mails() { [ "$(grep -c '"text"' /run/out/sink)" -ge $1 ]; }
outbox_is_empty() { [ -z "$(ls /var/lib/rcron/outbox/*.json 2>/dev/null)" ]; }
`;

interface SunkMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
}

function sunk(scene: Scene): SunkMail[] {
  const lines = (scene.files["sink"] ?? "").split("\n").filter((text) => text.includes('"text"'));
  return lines.map((text) => JSON.parse(text) as SunkMail); // smtp-sink.py prints them
}

const header = ({ text }: SunkMail, name: string) => new RegExp(`^${name}: (.*?)\r?$`, "m").exec(text)?.[1];

describeOnPrivateHost(
  "a job that fails three times in a row under cron",
  [...cronNeeds, ...sinkNeeds],
  () => {
    let scene: Promise<Scene> | undefined;
    const played = () => {
      scene ??= play(
        `${stage}start_sink
${cronMinutes({ lines: [line], minutes: 6, speed: 30 })}
until_ok has_mails 2
until none_runs exe && outbox_is_empty; do sleep 0.05; done
${tellRecord}kill $sink`,
        90_000,
      );
      return scene;
    };

    test("is one mail when it begins, and one when it is over", async () => {
      const mails = sunk(await played());
      expect(mails.map(({ from, to }) => [from, to])).toEqual([
        ["rcron@host.example", ["ops@example.org"]],
        ["rcron@host.example", ["ops@example.org"]],
      ]);
      const [first, second] = mails as [SunkMail, SunkMail];
      expect(header(first, "X-Rcron-Result")).toBe("failed; exit; exit=4");
      expect(first.text).toContain("the mirror is gone");
      expect(header(second, "X-Rcron-Result")).toStartWith("recovered");
      expect(header(second, "Subject")).toMatch(/recovered: mirror on .*, after 3 failures/);
    });

    test("the mails name the runs that the record has for them", async () => {
      const mails = sunk(await played());
      const runs = runsOf(await played());
      const [failed] = runs.filter(({ state }) => state === "failed");
      const [succeeded] = runs.filter(({ state }) => state === "succeeded");
      expect(mails.map((mail) => header(mail, "X-Rcron-Run"))).toEqual([
        failed?.run ?? "none",
        succeeded?.run ?? "none",
      ]);
      expect(runs.map(({ state }) => state).toSorted()).toEqual([
        ...Array.from({ length: 3 }, () => "failed"),
        ...Array.from({ length: ticksOf(await played()).length - 3 }, () => "succeeded"),
      ]);
    });

    test("cron itself mails nothing", async () => {
      expect((await played()).mails).toEqual([]);
    });
  },
);

describeOnPrivateHost("a mail whose server is down", [...cronNeeds, ...sinkNeeds], () => {
  let scene: Promise<Scene> | undefined;
  const played = () => {
    // The sender is killed, as by a power cut; that its item is due by now is said by the item's name.
    scene ??= play(
      `${stage}
${cronMinutes({ lines: [line], minutes: 1, meanwhile: "" }).replaceAll("* * * * *", "1 0 1 1 *")}
until_ok logged 'could not be sent yet'
rcronctl mail --json >/run/out/waiting
kill -9 $(pids_of exe)
until_ok none_runs exe
for item in /var/lib/rcron/outbox/*.json; do mv $item /var/lib/rcron/outbox/1-\${item#*-}; done
start_sink
rcron --timeout 1m true
until_ok has_mails 1
until none_runs exe && outbox_is_empty; do sleep 0.05; done
rcronctl mail --json >/run/out/left
kill $sink`,
      90_000,
    );
    return scene;
  };

  test("waits in the outbox, and the log says why, once", async () => {
    const scene = await played();
    expect(warningsOf(scene)).toEqual([
      expect.stringMatching(
        /mail to ops@example\.org about mirror \(run [0-9a-f]{16}\) could not be sent yet: .*refused/i,
      ),
    ]);
    expect(jsonOf<object[]>(scene, "waiting")).toEqual([
      expect.objectContaining({ kind: "mail", job: "mirror", attempts: 1 }),
    ]);
  });

  test("does not change what cron hears and mails", async () => {
    const scene = await played();
    expect(scene.mails).toEqual([]);
    expect(scene.log.filter(({ message }) => message.includes("exit status 4"))).toHaveLength(1);
  });

  test("goes out with the next run of any job when the server is back, once", async () => {
    const scene = await played();
    expect(sunk(scene).map((mail) => header(mail, "X-Rcron-Job"))).toEqual(["mirror"]);
    expect(jsonOf<object[]>(scene, "left")).toEqual([]);
  });
});

describeOnPrivateHost("sixty jobs that fail in the same moment", [...cronNeeds, ...sinkNeeds], () => {
  test("are sixty mails, none lost, none doubled", async () => {
    const scene = await play(
      `${stage}start_sink
running=
for n in $(seq 60); do
  rcron --name job-$n --output if-error:ops@example.org sh -c "echo number $n; exit 3" & running="$running $!"
done
for pid in $running; do wait $pid || :; done
until_ok has_mails 60
until none_runs exe && outbox_is_empty; do sleep 0.05; done
kill $sink`,
      60_000,
    );
    const jobs = sunk(scene).map((mail) => header(mail, "X-Rcron-Job"));
    expect(jobs.toSorted()).toEqual(Array.from({ length: 60 }, (_, index) => `job-${index + 1}`).toSorted());
  });
});

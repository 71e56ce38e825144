/**
 * `npm run bench:fifo`: how long after keepalived's event the new word is there for `rcron` to read.
 *
 * A real keepalived on a private host writes each event to two FIFOs, one after the other: `rcronctl follow` reads the one,
 * this program the other. Its link is cut and mended in turn, so that it goes from MASTER to FAULT and back. From the
 * moment that this program has an event, the state file is read until it says the word.
 *
 *     bun bench/fifo.ts [--events N] [--json]
 *
 * Exits 0 if the median is at most 50 ms, 1 if it is not, 2 if it could not measure.
 */
import { closeSync, constants, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseKeepalivedEvent } from "../src/election/election.ts";
import { Problem } from "../src/model/problem.ts";
import { onPrivateHost, project } from "../test/support/private-host.ts";
import { median } from "./figures.ts";

const boundMs = 50;
const giveUpMs = 5000;
const { values: options } = parseArgs({
  options: {
    events: { type: "string", default: "60" },
    json: { type: "boolean", default: false },
    inside: { type: "boolean", default: false },
  },
});

const keepalivedConf = `global_defs {
	script_user root
	enable_script_security
	vrrp_version 3
	notify_fifo /run/bench.fifo
	vrrp_notify_fifo /run/rcron.fifo
	vrrp_notify_fifo_script "/usr/bin/rcronctl follow RCRON"
}
vrrp_instance RCRON {
	state BACKUP
	interface eth0
	virtual_router_id 31
	priority 100
	advert_int 0.1
	virtual_ipaddress {
		192.0.2.50/32
	}
}
`;

/** On the private host, where keepalived runs. */
async function measure(events: number): Promise<number[]> {
  const fd = openSync("/run/bench.fifo", constants.O_RDONLY | constants.O_NONBLOCK);
  const delays: number[] = [];
  const decoder = new TextDecoder();
  for await (const chunk of Bun.file(fd).stream()) {
    const seenMs = performance.now();
    for (const line of decoder.decode(chunk).trimEnd().split("\n")) {
      const event = parseKeepalivedEvent(line);
      if (event === undefined || event instanceof Problem) continue;
      const before = readFileSync("/run/rcron.state", "utf8");
      while (!readFileSync("/run/rcron.state", "utf8").includes(`event=${event.state}\n`)) {
        if (performance.now() - seenMs > giveUpMs) throw new Error(`${line} was never written: ${before}`);
      }
      delays.push(performance.now() - seenMs);
      if (event.state === "MASTER") setLink("down");
      if (event.state === "FAULT") setLink("up");
    }
    if (delays.length >= events) break;
  }
  closeSync(fd);
  return delays;
}

function setLink(state: "up" | "down"): void {
  Bun.spawnSync(["ip", "link", "set", "peer0", state]);
}

async function main(): Promise<number> {
  if (!/^[1-9]\d{0,3}$/.test(options.events)) {
    console.error(`bench: --events must be a number from 1 to 9999: got "${options.events}"`);
    return 2;
  }
  if (options.inside) {
    console.log(JSON.stringify(await measure(Number(options.events))));
    return 0;
  }
  mkdirSync(join(project, "dist"), { recursive: true });
  const { exitCode } = Bun.spawnSync([process.execPath, join(project, "bin/build.ts"), "--if-stale"]);
  if (exitCode !== 0) throw new Error("the build failed");
  // keepalived runs as root only what nobody else could have put there: the program itself, not a link to it.
  const ended = await onPrivateHost(
    `rm -f /usr/bin/rcron; cp '${project}/dist/rcron' /usr/bin/rcron; ln -sf rcron /usr/bin/rcronctl
mkdir -p /etc/keepalived; printf '%s' '${keepalivedConf}' >/etc/keepalived/keepalived.conf
mkfifo -m 600 /run/bench.fifo; echo passive >/run/rcron.state
'${process.execPath}' '${import.meta.path}' --inside --events ${options.events} & bench=$!
sleep 0.5
keepalived -n -l -P >/run/log 2>&1 & keepalived=$!
status=0; wait $bench || status=$?
kill $keepalived; wait $keepalived || :
[ $status = 0 ] || cat /run/log /run/rcron.state /var/log/* >&2 || :
exit $status`,
    60_000 + Number(options.events) * 1000,
  );
  if (ended.exitCode !== 0) throw new Error(`exit ${ended.exitCode}: ${ended.stderr}${ended.stdout}`);
  const delays = (JSON.parse(ended.stdout) as number[]).sort((a, b) => a - b);
  const medianMs = median(delays);
  const at = (part: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * part))] ?? 0;
  const figures = { events: delays.length, medianMs, p95Ms: at(0.95), maxMs: at(1), boundMs };
  if (options.json) console.log(JSON.stringify(figures));
  else {
    const told = [medianMs, figures.p95Ms, figures.maxMs].map((ms) => `${ms.toFixed(1)} ms`);
    console.log(
      `${delays.length} events of keepalived: the word is there after ${told[0]} (median; bound ${boundMs} ms), 95 % ${told[1]}, at most ${told[2]}`,
    );
  }
  return medianMs <= boundMs ? 0 : 1;
}

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error("bench:", error instanceof Error ? error.message : error);
    process.exit(2);
  },
);

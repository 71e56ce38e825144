/**
 * The outbox and the sender, under a clock that the test moves.
 */
import { describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { Delivery } from "../../src/notify/delivery.ts";
import { formatItemName, hasDueItems, parseItemName } from "../../src/notify/due-items.ts";
import {
  type Item,
  itemLimit,
  keepMs,
  listOutbox,
  lockOutbox,
  parseItem,
  putItem,
  removeItem,
} from "../../src/notify/outbox.ts";
import { type SenderOptions, type Sent, sendItems } from "../../src/notify/sender.ts";
import { noStreak, readStreak } from "../../src/notify/streaks.ts";
import { temporaryFolder } from "../support/program.ts";
import { settingsFor } from "./sample-run.ts";

const start = 1_800_000_000_000;
const later: Delivery = { kind: "later", reason: "451 later", isTransport: false };
const down: Delivery = { kind: "later", reason: "connection refused", isTransport: true };
const sent: Delivery = { kind: "sent" };

function mailItem(id: string, more: Partial<Item> = {}): Item {
  const item = {
    kind: "mail",
    id,
    createdMs: start,
    dueMs: start,
    expiresMs: start + keepMs.mail,
    attempts: 0,
    job: "backup",
    run: "0123456789abcdef",
    from: "root@host1",
    to: `${id}@example.com`,
    text: "hello\n",
  };
  return { ...item, ...more } as Item;
}

function pingItem(id: string, more: Partial<Item> = {}): Item {
  const item = {
    kind: "ping",
    id,
    createdMs: start,
    dueMs: start,
    expiresMs: start + keepMs.ping,
    attempts: 0,
    job: "backup",
    run: "0123456789abcdef",
    url: `https://ping.example/secret-${id}?rid=1`,
    body: "",
  };
  return { ...item, ...more } as Item;
}

function postItem(id: string, more: Partial<Item> = {}): Item {
  const url = `https://hook.example/secret-${id}`;
  return { ...pingItem(id), kind: "webhook", expiresMs: start + keepMs.webhook, url, ...more } as Item;
}

/** A sender whose time passes only where it sleeps. */
function bench(folder: string | undefined, answer: (item: Item, attempt: number) => Delivery) {
  const clock = {
    nowMs: start,
    now: () => clock.nowMs,
    sleep: async (ms: number) => {
      clock.nowMs += ms;
    },
  };
  const tried: string[] = [];
  const log: string[] = [];
  const counts = new Map<string, number>();
  const run = (options: Partial<SenderOptions> = {}): Promise<Sent> =>
    sendItems(
      { ...settingsFor(folder), version: "1.0" },
      {
        mode: "due",
        waitMs: 120_000,
        clock,
        log: (level, message) => log.push(`${level} ${message}`),
        deliver: async (item) => {
          const attempt = (counts.get(item.id) ?? 0) + 1;
          counts.set(item.id, attempt);
          tried.push(`${item.id}@${(clock.nowMs - start) / 1000}`);
          return answer(item, attempt);
        },
        ...options,
      },
    );
  return { run, clock, tried, log };
}

describe("putItem()", () => {
  test("makes an outbox for its owner alone, and whole files", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const outbox = join(folder.path, "outbox");
    expect(statSync(outbox).mode & 0o777).toBe(0o700);
    const [file = ""] = readdirSync(outbox);
    expect(statSync(join(outbox, file)).mode & 0o777).toBe(0o600);
    expect(parseItem(readFileSync(join(outbox, file), "utf8"))).toEqual(mailItem("a1"));
  });

  test("puts nothing into a folder that a symlink leads to", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "elsewhere"));
    symlinkSync("elsewhere", join(folder.path, "outbox"));
    expect(putItem(folder.path, mailItem("a1"), [])).rejects.toThrow("must be a folder of its user");
    expect(readdirSync(join(folder.path, "elsewhere"))).toEqual([]);
  });

  test("replaces the item of the same id, whenever that was due", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("p1"), []);
    await putItem(folder.path, mailItem("p1", { createdMs: start + 1 }), listOutbox(folder.path));
    await putItem(
      folder.path,
      mailItem("p1", { dueMs: start + 5, createdMs: start + 2 }),
      listOutbox(folder.path),
    );
    expect(listOutbox(folder.path).map(({ dueMs }) => dueMs)).toEqual([start + 5]);
  });

  test("drops the oldest where there are a thousand", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("first"), []);
    for (let index = 1; index < itemLimit; index++) {
      const name = { dueMs: start, createdMs: start + index, kind: "mail", id: `m${index}` } as const;
      writeFileSync(join(folder.path, "outbox", formatItemName(name)), "{}");
    }
    expect(
      await putItem(folder.path, mailItem("last", { createdMs: start + 5000 }), listOutbox(folder.path)),
    ).toBe(1);
    const ids = listOutbox(folder.path).map(({ id }) => id);
    expect(ids.length).toBe(itemLimit);
    expect(ids).not.toContain("first");
    expect(ids.at(-1)).toBe("last");
  });
});

describe("hasDueItems()", () => {
  test("is true from an item's time on, and for one that a wrong clock made", async () => {
    using folder = temporaryFolder();
    expect(hasDueItems(folder.path, start)).toBe(false);
    await putItem(folder.path, mailItem("a1", { dueMs: start + 10 }), []);
    expect(hasDueItems(folder.path, start + 9)).toBe(false);
    expect(hasDueItems(folder.path, start + 10)).toBe(true);
    expect(hasDueItems(folder.path, start - 2 * 3_600_000)).toBe(true);
  });

  test("names are read back, and others are none", () => {
    for (const kind of ["mail", "ping", "webhook", "slack"] as const) {
      const name = { dueMs: start, createdMs: start, kind, id: "p0" };
      expect(parseItemName(formatItemName(name))).toEqual(name);
    }
    for (const file of [".lock", "x", "1-2-mail-.json", "1-2-fax-a.json", ".1-2-mail-a.json.1234"]) {
      expect(parseItemName(file)).toBeUndefined();
    }
  });
});

describe("parseItem()", () => {
  test("takes nothing that is no item", () => {
    for (const text of [
      "",
      "{}",
      "null",
      "[]",
      '{"kind":"mail"}',
      JSON.stringify({ ...mailItem("a"), id: "../x" }),
      JSON.stringify({ ...mailItem("a"), text: 1 }),
      JSON.stringify({ ...postItem("a"), kind: "fax" }),
      JSON.stringify({ ...postItem("a"), url: null }),
    ]) {
      expect(parseItem(text)).toBeUndefined();
    }
    fc.assert(fc.property(fc.json(), (text) => void parseItem(text)));
  });
});

describe("sendItems()", () => {
  test("sends what is due, pings first, removes it, and leaves the rest", async () => {
    using folder = temporaryFolder();
    for (const item of [mailItem("a1"), pingItem("b2"), mailItem("c3", { dueMs: start + 1e9 })])
      await putItem(folder.path, item, []);
    const { run, tried, log } = bench(folder.path, () => sent);
    expect(await run()).toEqual({ sent: 2, givenUp: 0, waiting: 1, isBusy: false });
    expect(tried).toEqual(["b2@0", "a1@0"]);
    expect(log).toEqual([]);
    expect(listOutbox(folder.path).map(({ id }) => id)).toEqual(["c3"]);
  });

  test("sends pings, then webhooks and messages to a chat, then mails", async () => {
    using folder = temporaryFolder();
    const items = [mailItem("a1"), postItem("b2"), postItem("c3", { kind: "slack" }), pingItem("d4")];
    for (const [index, item] of items.entries())
      await putItem(folder.path, { ...item, createdMs: start + index }, []);
    const { run, tried, clock } = bench(folder.path, () => sent);
    clock.nowMs += 10;
    expect(await run()).toMatchObject({ sent: 4, waiting: 0 });
    expect(tried.map((each) => each.split("@")[0])).toEqual(["d4", "b2", "c3", "a1"]);
  });

  test("waits as long as a server asks for, if that is longer, and leaves the URL alone for so long", async () => {
    using folder = temporaryFolder();
    const url = "https://hook.example/one";
    for (const item of [postItem("a1", { url }), postItem("b2", { url }), postItem("c3")])
      await putItem(folder.path, item, []);
    const busy: Delivery = { ...later, reason: "the server answered 429", retryAfterMs: 100_000 };
    const { run, tried } = bench(folder.path, (item, attempt) =>
      item.id === "c3" || attempt > 1 ? sent : busy,
    );
    await run({ waitMs: 0 });
    const waiting = listOutbox(folder.path);
    expect(waiting.map(({ dueMs }) => dueMs)).toEqual([start + 100_000, start + 100_000]);
    expect(tried.length).toBe(2); // one of the two for the busy URL, and the one for the other
    await run();
    expect(listOutbox(folder.path)).toEqual([]);
  });

  test("a server that asks for less gets the usual interval", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, postItem("a1"), []);
    const { run } = bench(folder.path, () => ({ ...later, retryAfterMs: 1000 }));
    await run({ waitMs: 0 });
    expect(listOutbox(folder.path)[0]?.dueMs).toBe(start + 60_000);
  });

  test("gives a webhook up after a day, and tells nothing of its key", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, postItem("a1"), []);
    const { run, log, clock } = bench(folder.path, () => down);
    expect(await run({ waitMs: 2 * 3_600_000 })).toMatchObject({ givenUp: 1, waiting: 0 });
    expect(clock.nowMs - start).toBeLessThanOrEqual(keepMs.webhook);
    expect(log).toEqual([
      "LOG_WARNING webhook to https://hook.example/... about backup (run 0123456789abcdef) could not be sent yet: connection refused",
      expect.stringMatching(
        /^LOG_ERR webhook to https:..hook.example.\.\.\. about backup .* after \d+ attempts: /,
      ),
    ]);
  });

  test("tries again after 1 min and 2 min, then leaves it to a later sender; says so once", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const { run, tried, log, clock } = bench(folder.path, () => later);
    expect((await run()).waiting).toBe(1);
    expect(tried).toEqual(["a1@0", "a1@60", "a1@180"]);
    expect(log).toEqual([
      "LOG_WARNING mail to a1@example.com about backup (run 0123456789abcdef) could not be sent yet: 451 later",
    ]);
    expect(listOutbox(folder.path)[0]?.dueMs).toBe(start + 420_000);
    clock.nowMs = start + 420_000;
    await run();
    expect(tried.at(-1)).toBe("a1@420");
  });

  test("gives a mail up after three days, with intervals of an hour at most, and says why", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const { run, tried, log } = bench(folder.path, () => later);
    expect(await run({ waitMs: 2 * 3_600_000 })).toMatchObject({ givenUp: 1, waiting: 0 });
    expect(tried.length).toBeGreaterThan(70);
    expect(log.length).toBe(2);
    expect(log[1]).toMatch(
      /^LOG_ERR mail to a1@example.com about backup .* was not sent: given up after \d+ attempts: 451 later$/,
    );
  });

  test("gives a ping up after ten minutes, and tells nothing of its key", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, pingItem("a1"), []);
    const { run, tried, log } = bench(folder.path, () => down);
    await run({ waitMs: 3_600_000 });
    expect(tried).toEqual(["a1@0", "a1@60", "a1@180", "a1@420"]);
    expect(log.join()).toContain("ping to https://ping.example/...");
    expect(log.join()).not.toContain("secret");
    expect(listOutbox(folder.path)).toEqual([]);
  });

  test("gives up at once what is refused for good", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const { run, log } = bench(folder.path, () => ({ kind: "never", reason: "550 no such user\n" }));
    expect(await run()).toMatchObject({ givenUp: 1, waiting: 0 });
    expect(log).toEqual([
      "LOG_ERR mail to a1@example.com about backup (run 0123456789abcdef) was not sent: refused for good: 550 no such user\\n",
    ]);
  });

  test("tries a server that can't be reached once a round, not once a mail", async () => {
    using folder = temporaryFolder();
    for (let index = 0; index < 5; index++) await putItem(folder.path, mailItem(`a${index}`), []);
    const { run, tried } = bench(folder.path, (_, attempt) => (attempt === 1 ? down : sent));
    expect(await run({ waitMs: 0 })).toMatchObject({ sent: 0, waiting: 5 });
    expect(tried.length).toBe(1);
  });

  test("lets a later run's item that was put in meanwhile stand, and drops its own", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, pingItem("a1"), []);
    const { run, clock } = bench(folder.path, (item) => {
      if (item.createdMs === start) {
        const newer = pingItem("a1", { createdMs: start + 5, dueMs: start + 5 });
        writeFileSync(join(folder.path, "outbox", formatItemName(newer)), JSON.stringify(newer));
        clock.nowMs += 10;
      }
      return item.createdMs === start ? later : sent;
    });
    expect(await run()).toMatchObject({ sent: 1, waiting: 0 });
  });

  test("does not bring back what a person dropped while it was being tried", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const { run, log } = bench(folder.path, () => {
      for (const name of listOutbox(folder.path)) removeItem(folder.path, name);
      return later;
    });
    expect(await run()).toMatchObject({ waiting: 0 });
    expect(log.length).toBe(1);
  });

  test("finds what was put in after its last look, while it still had the lock", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const { run, tried } = bench(folder.path, () => sent);
    const log: SenderOptions["log"] = () => {};
    await run({
      log,
      deliver: async (item) => {
        tried.push(item.id);
        if (item.id === "a1") await putItem(folder.path, mailItem("b2", { dueMs: start }), []);
        return sent;
      },
    });
    expect(tried).toEqual(["a1", "b2"]);
  });

  test("is one at a time", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const lock = await lockOutbox(folder.path);
    const { run, tried } = bench(folder.path, () => sent);
    expect(await run()).toMatchObject({ isBusy: true, waiting: 1 });
    expect(tried).toEqual([]);
    if (typeof lock === "object") lock.release();
    expect(await run()).toMatchObject({ isBusy: false, sent: 1 });
  });

  test("drops a torn file and half-written leftovers of yesterday, and goes on", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const outbox = join(folder.path, "outbox");
    writeFileSync(join(outbox, `${start}-${start}-mail-torn.json`), '{"kind":"ma');
    writeFileSync(join(outbox, ".half"), "");
    utimesSync(join(outbox, ".half"), new Date(start - 2 * 86_400_000), new Date(start - 2 * 86_400_000));
    const { run, log } = bench(folder.path, () => sent);
    expect(await run()).toMatchObject({ sent: 1, waiting: 0 });
    expect(log).toEqual(["LOG_ERR outbox: an unreadable mail was dropped"]);
    expect(readdirSync(outbox)).toEqual([".lock"]);
  });

  test("an item made under a clock that was a year ahead is tried, and has its full time", async () => {
    using folder = temporaryFolder();
    const ahead = start + 365 * 86_400_000;
    await putItem(
      folder.path,
      mailItem("a1", { createdMs: ahead, dueMs: ahead, expiresMs: ahead + keepMs.mail }),
      [],
    );
    const { run } = bench(folder.path, () => later);
    await run({ waitMs: 0 });
    expect(listOutbox(folder.path)[0]).toMatchObject({ createdMs: start, dueMs: start + 60_000 });
  });

  test("begins the next pause when a mail that was held back has gone out", async () => {
    using folder = temporaryFolder();
    const pause = { name: "backup@www-1", audience: "always", everyMs: 60_000 } as const;
    await putItem(folder.path, mailItem("p1", { pause }), []);
    const { run } = bench(folder.path, () => sent);
    await run();
    expect(readStreak(folder.path, pause.name)).toEqual({
      ...noStreak,
      audiences: {
        ...noStreak.audiences,
        always: { untilMs: start + 60_000, runs: 0, failed: 0, heldBack: 0 },
      },
    });
  });

  test("begins the next pause when a message to a chat that was held back has gone out", async () => {
    using folder = temporaryFolder();
    const pause = { name: "backup@www-1", audience: "if-error", everyMs: 60_000 } as const;
    await putItem(folder.path, postItem("p1", { kind: "slack", pause }), []);
    await bench(folder.path, () => sent).run();
    expect(readStreak(folder.path, pause.name).audiences["if-error"].untilMs).toBe(start + 60_000);
  });

  test("tries all at once where a person asks for it, what is not due too", async () => {
    using folder = temporaryFolder();
    for (const item of [mailItem("a1"), mailItem("c3", { dueMs: start + 1e9 })])
      await putItem(folder.path, item, []);
    const { run } = bench(folder.path, () => sent);
    expect(await run({ mode: "all" })).toMatchObject({ sent: 2, waiting: 0 });
  });

  test("puts what it is handed into the outbox; where that can't be, tries from memory and then gives up", async () => {
    using folder = temporaryFolder();
    const kept = bench(folder.path, () => later);
    await kept.run({ handed: [mailItem("a1")], waitMs: 0 });
    expect(listOutbox(folder.path).map(({ id }) => id)).toEqual(["a1"]);

    const homeless = bench(undefined, (_, attempt) => (attempt === 2 ? sent : later));
    expect(await homeless.run({ handed: [mailItem("a1")] })).toMatchObject({ sent: 1, waiting: 0 });
    expect(homeless.tried).toEqual(["a1@0", "a1@60"]);

    const lost = bench("/proc/no/such/folder", () => later);
    expect(await lost.run({ handed: [mailItem("a1")] })).toMatchObject({ givenUp: 1, waiting: 0 });
    expect(lost.tried).toEqual(["a1@0", "a1@60"]);
    expect(lost.log.at(-1)).toContain("could not be kept for later either");
  });

  test("does not spin where the outbox has become read-only", async () => {
    using folder = temporaryFolder();
    await putItem(folder.path, mailItem("a1"), []);
    const { run, tried } = bench(folder.path, () => {
      // As good as a full disk for root too: a folder of the name that the next file would have.
      mkdirSync(
        join(
          folder.path,
          "outbox",
          formatItemName({ dueMs: start + 60_000, createdMs: start, kind: "mail", id: "a1" }),
        ),
      );
      return later;
    });
    await run({ waitMs: 0 });
    expect(tried).toEqual(["a1@0"]);
  });
});

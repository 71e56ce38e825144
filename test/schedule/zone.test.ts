/**
 * Zones by name: the runtime's rules, remembered; and the name of the machine's own.
 */
import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { Problem } from "../../src/model/problem.ts";
import { findZone, utc } from "../../src/schedule/schedule.ts";
import { readMachineZone } from "../../src/system/zone.ts";
import { temporaryFolder } from "../support/program.ts";
import { zoneNamed } from "./expressions.ts";

const hour = 3_600_000;

describe("findZone()", () => {
  test.each([
    ["europe/berlin", "Europe/Berlin"],
    ["US/Eastern", "US/Eastern"],
    ["Etc/GMT+5", "Etc/GMT+5"],
    ["CET", "CET"],
  ])("finds %s", (name, proper) => {
    expect(zoneNamed(name).name).toBe(proper);
    expect(findZone(name)).toBe(findZone(proper));
  });
  test("has UTC without rules", () => {
    expect(findZone("UTC")).toBe(utc);
    expect(findZone("utc")).toBe(utc);
  });
  test.each([
    ["Europe/Berln", "Europe/Berlin"],
    ["Berlin", "Europe/Berlin"],
    ["new york", "America/New_York"],
    ["CET-1CEST,M3.5.0,M10.5.0/3", ""],
    ["GMT+2", ""],
    ["+02:00", ""],
    ["/etc/localtime", ""],
    ["", ""],
  ])("refuses %j, and is near %j", (name, near) => {
    const problem = findZone(name);
    if (!(problem instanceof Problem)) throw new Error("found");
    expect(problem.message).toBe(
      `a time zone must be a name of the IANA database, such as Europe/Berlin: got "${name}"`,
    );
    if (near !== "") expect(problem.hint).toBe(`did you mean "${near}"?`);
  });

  test.each([
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Europe/Dublin",
    "Pacific/Apia",
    "Asia/Almaty",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "America/Nuuk",
  ])(
    "knows the offsets of %s as Intl.DateTimeFormat tells them, to the millisecond of each change",
    (name) => {
      const zone = zoneNamed(name);
      const format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
      const intlOffset = (at: number) => {
        const [, sign, h, m] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(format.format(at)) ?? [];
        return (sign === "-" ? -1 : 1) * (Number(h ?? 0) * 60 + Number(m ?? 0)) * 60_000;
      };
      for (let at = Date.UTC(2010, 0); at < Date.UTC(2034, 0); at += 24 * hour) {
        const { fromMs, untilMs, offsetMs } = zone.stretchAt(at);
        if (offsetMs !== intlOffset(at)) throw new Error(`${name} at ${new Date(at).toISOString()}`);
        if (at - fromMs < 24 * hour) expect(intlOffset(fromMs - 1)).not.toBe(offsetMs);
        if (at - fromMs < 24 * hour) expect(intlOffset(fromMs)).toBe(offsetMs);
        if (untilMs - at < 24 * hour) expect(intlOffset(untilMs)).not.toBe(offsetMs);
      }
    },
  );
  test("remembers each stretch, and gives the same one for each instant of it", () => {
    const zone = zoneNamed("Europe/Berlin");
    const summer = zone.stretchAt(Date.UTC(2026, 6));
    expect(summer).toEqual({
      fromMs: Date.UTC(2026, 2, 29, 1),
      untilMs: Date.UTC(2026, 9, 25, 1),
      offsetMs: 2 * hour,
    });
    zone.stretchAt(Date.UTC(2026, 11));
    expect(zone.stretchAt(summer.fromMs)).toBe(summer);
    expect(zone.stretchAt(summer.untilMs - 1)).toBe(summer);
    expect(zone.stretchAt(summer.untilMs).offsetMs).toBe(hour);
  });
});

describe("readMachineZone()", () => {
  test.each([
    ["Europe/Berlin", "Europe/Berlin"],
    [":Europe/Berlin", "Europe/Berlin"],
    [":/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"],
    ["/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"],
    ["CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3"], // findZone() refuses it, with TZ as the place
  ])("TZ=%s is %s", (variable, name) => {
    expect(readMachineZone(variable, "/nonexistent")).toEqual({ name, source: "TZ" });
  });
  test("asks /etc/localtime, then /etc/timezone, then takes UTC", () => {
    using folder = temporaryFolder();
    const etc = folder.path;
    expect(readMachineZone(undefined, etc)).toEqual({ name: "UTC", source: "default" });
    writeFileSync(`${etc}/timezone`, "America/New_York\n");
    writeFileSync(`${etc}/localtime`, "TZif2…"); // a copy
    expect(readMachineZone("", etc)).toEqual({ name: "America/New_York", source: `${etc}/timezone` });
    const other = `${etc}/linked`;
    mkdirSync(other);
    writeFileSync(`${other}/timezone`, "America/New_York\n");
    symlinkSync("../usr/share/zoneinfo/Europe/Berlin", `${other}/localtime`);
    expect(readMachineZone(undefined, other)).toEqual({
      name: "Europe/Berlin",
      source: `${other}/localtime`,
    });
    expect(readMachineZone(`:${other}/localtime`, other).name).toBe("Europe/Berlin");
  });
});

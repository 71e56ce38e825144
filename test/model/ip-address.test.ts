import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import fc from "fast-check";
import { parseIpAddress } from "../../src/model/ip-address.ts";

const hex = (text: string) => {
  const bytes = parseIpAddress(text);
  return bytes && Buffer.from(bytes).toString("hex");
};

describe("parseIpAddress()", () => {
  test.each([
    ["192.0.2.10", "c000020a"],
    ["0.0.0.0", "00000000"],
    ["255.255.255.255", "ffffffff"],
    ["2001:db8::10", "20010db8000000000000000000000010"],
    ["2001:DB8::0010", "20010db8000000000000000000000010"],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["1::", "00010000000000000000000000000000"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
    ["1:2:3:4:5:6:192.0.2.33", "000100020003000400050006c0000221"],
    ["::ffff:192.0.2.10", "c000020a"],
    ["::FFFF:c000:20a", "c000020a"],
  ])("%s is %s", (text, bytes) => {
    expect(hex(text)).toBe(bytes);
  });

  test.each([
    [""],
    ["192.0.2"],
    ["192.0.2.10.1"],
    ["192.0.2.256"],
    ["192.0.2.010"],
    ["192.0.2.-0"],
    ["192.0.2.1e1"],
    ["192.0.2.0x1"],
    ["192.0.2."],
    ["192.0.2.10/24"],
    [" 192.0.2.10"],
    [":"],
    [":::"],
    ["1::2::3"],
    ["1:2:3:4:5:6:7:8:9"],
    ["1:2:3:4:5:6:7"],
    ["1:2:3:4::5:6:7:8"],
    ["12345::"],
    ["g::"],
    ["::192.0.2"],
    ["192.0.2.1::"],
    ["::192.0.2.1:1"],
    ["fe80::1%eth0"],
    ["[::1]"],
    ["2001:db8::10/64"],
  ])("%p is none", (text) => {
    expect(hex(text)).toBeUndefined();
  });

  test("agrees with the runtime about what is an address", () => {
    const group = fc.oneof(
      fc.integer({ min: 0, max: 0x1ffff }).map((value) => value.toString(16)),
      fc.constantFrom(
        "",
        "0",
        "00",
        "0000",
        "ffff",
        "FFFF",
        "g",
        "1.2.3.4",
        "255.0.255.0",
        "1.2.3",
        "01.2.3.4",
      ),
    );
    const six = fc.array(group, { maxLength: 10 }).map((groups) => groups.join(":"));
    const gapped = fc.tuple(six, six).map((parts) => parts.join("::"));
    const part = fc.oneof(
      fc.integer({ min: -1, max: 300 }).map(String),
      fc.constantFrom("", "00", "1e1", " 1"),
    );
    const four = fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join("."));
    const text = fc.oneof(six, gapped, four, fc.ipV4(), fc.ipV6(), fc.string());
    fc.assert(
      fc.property(text, (address) => {
        if (address.includes("%")) return; // a zone, which we refuse
        expect(parseIpAddress(address) !== undefined).toBe(isIP(address) !== 0);
      }),
      { numRuns: 5000 },
    );
  });

  test("gives the bytes of an IPv6 address, however it is written", () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    const style = fc.record({
      pad: fc.boolean(),
      upper: fc.boolean(),
      gapAt: fc.nat({ max: 7 }),
      isDotted: fc.boolean(),
    });
    fc.assert(
      fc.property(groups, style, (values, { pad, upper, gapAt, isDotted }) => {
        const bytes = values.flatMap((value) => [value >> 8, value & 0xff]);
        const texts = values.map((value) => value.toString(16).padStart(pad ? 4 : 1, "0"));
        if (isDotted) texts.splice(6, 2, bytes.slice(12).join("."));
        const end = texts.findIndex((text, index) => index >= gapAt && !/^0+$/.test(text));
        const gapEnd = end < 0 ? texts.length : end;
        const written =
          gapEnd > gapAt
            ? `${texts.slice(0, gapAt).join(":")}::${texts.slice(gapEnd).join(":")}`
            : texts.join(":");
        const isMapped = values.slice(0, 5).every((value) => value === 0) && values[5] === 0xffff;
        expect([...(parseIpAddress(upper ? written.toUpperCase() : written) ?? [])]).toEqual(
          isMapped ? bytes.slice(12) : bytes,
        );
      }),
      { numRuns: 2000 },
    );
  });
});

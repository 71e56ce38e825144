/**
 * `npm test`: installs what the system tests need of Debian's packages (where it may), builds, runs every test, and
 * says at the end how many passed, failed and were skipped, and why.
 *
 *     bun test/run.ts [file or folder ...]
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { installMissingPackages } from "./support/debian.ts";

const project = resolve(import.meta.dir, "..");
const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
const asked = process.argv.slice(2);

console.error(installMissingPackages());

function run(...words: string[]): number {
  const done = Bun.spawnSync([process.execPath, ...words], {
    cwd: project,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  return done.exitCode;
}

if (run("bin/build.ts", "--if-stale") !== 0) process.exit(1);
// Root's record of runs, which tests outside a private machine leave behind. A machine's own is not touched.
const record = "/var/lib/rcron";
const hadRecord = existsSync(record);
const scratch = mkdtempSync(join(tmpdir(), "rcron-test-"));
const report = join(scratch, "junit.xml");
const paths = asked.length > 0 ? asked : ["./test"];
const status = run("test", "--timeout=120000", "--reporter=junit", `--reporter-outfile=${report}`, ...paths);
const cases = readCases(readFileSync(report, "utf8"));
rmSync(scratch, { recursive: true });
if (!hadRecord && process.getuid?.() === 0) rmSync(record, { recursive: true, force: true });

const count = (outcome: TestCase["outcome"]) => cases.filter((one) => one.outcome === outcome).length;
const reasons = new Map<string, number>();
for (const { suite, outcome } of cases) {
  if (outcome !== "skipped") continue;
  const reason = /\[skipped: ([^\]]+)\]/.exec(suite)?.[1] ?? `${suite}: no reason given`;
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}
for (const [reason, number] of reasons) console.log(`skipped ${number}: ${reason}`);
for (const { suite, name, outcome } of cases)
  if (outcome === "failed") console.log(`failed: ${suite} > ${name}`);
// A test file that can't be loaded fails the run without a case of its own.
const failed = Math.max(count("failed"), status === 0 ? 0 : 1);
console.log(`${count("passed")} passed, ${failed} failed, ${count("skipped")} skipped`);
process.exit(status === 0 && cases.length > 0 ? 0 : 1);

interface TestCase {
  readonly suite: string;
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

/** The test cases of a JUnit report, as the runtime's reporter writes it. */
function readCases(xml: string): TestCase[] {
  const text = (attribute: string | undefined) =>
    (attribute ?? "").replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name] ?? "");
  return [...xml.matchAll(/<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, attributes = "", , body = ""]) => ({
      suite: text(/classname="([^"]*)"/.exec(attributes)?.[1]),
      name: text(/ ?name="([^"]*)"/.exec(attributes)?.[1]),
      outcome: body.includes("<skipped")
        ? "skipped"
        : body.includes("<failure") || body.includes("<error")
          ? "failed"
          : "passed",
    }),
  );
}

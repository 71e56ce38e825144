/**
 * The built program, run as a user would run it, in a temporary folder.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const project = resolve(import.meta.dir, "../..");
/** Built by `npm run build`, which `npm test` calls first. */
export const binary = join(project, "dist/rcron");

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string | undefined>;
  readonly timeoutMs?: number;
}

/** Runs a shell line to its end, with `rcron`, `rcrond` and `rcronctl` in PATH, or ends it after the time (10 s). */
export async function shell(line: string, options: RunOptions = {}): Promise<Ended> {
  const env = { ...process.env, ...options.env };
  // The runtime that runs the tests leaves variables of its own; a job shall not see them.
  const child = Bun.spawn(["/bin/sh", "-c", line], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...env, PATH: `${join(project, "dist")}:${env["PATH"]}` },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.timeoutMs ?? 10_000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { status: await child.exited, stdout, stderr };
}

/** A temporary folder; `using` removes it at the end of its block. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "rcron-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

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
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string | undefined>;
  /** After this time (10 s) the command is killed. */
  readonly timeoutMs?: number;
}

/** Runs a command to its end, without standard input, and reads what it writes. */
export async function run(
  words: readonly string[],
  { cwd, env, timeoutMs }: RunOptions = {},
): Promise<Ended> {
  const child = Bun.spawn([...words], {
    cwd: cwd ?? tmpdir(),
    env: env ?? process.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs ?? 10_000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

/** Runs a shell line, with `rcron`, `rcrond` and `rcronctl` in PATH and `env` on top of this environment. */
export function shell(line: string, options: RunOptions = {}): Promise<Ended> {
  const env = { ...process.env, ...options.env };
  return run(["/bin/sh", "-c", line], {
    ...options,
    env: { ...env, PATH: `${join(project, "dist")}:${env["PATH"]}` },
  });
}

/** A temporary folder; `using` removes it at the end of its block. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "rcron-test-"));
  const dispose = () => {
    Bun.spawnSync(["chmod", "-R", "u+rwX", path]); // a test may have shut a folder, and may not be root
    rmSync(path, { recursive: true, force: true });
  };
  return { path, [Symbol.dispose]: dispose };
}

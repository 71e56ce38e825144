/**
 * `npm run build`: makes `dist/rcron` and the links `rcrond` and `rcronctl`.
 *
 *     bun bin/build.ts [--if-stale] [--target x64|arm64] [--outdir DIR] [--entry FILE]
 *
 * The runtime compiles the program into one file. That file is then patched in two ways that no build flag offers
 * (docs/decisions/runtime.md has the reasons); a patch that does not find what it is for fails the build. The same
 * sources give the same bytes, whatever the folder. Never run `strip` on the result: it would silently lose the program.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const project = resolve(import.meta.dir, "..");
const targets = { x64: "bun-linux-x64", arm64: "bun-linux-arm64" } as const;
type Target = keyof typeof targets;
const here: Target = process.arch === "arm64" ? "arm64" : "x64";

const { values: options } = parseArgs({
  options: {
    "if-stale": { type: "boolean", default: false },
    target: { type: "string", default: here },
    outdir: { type: "string" },
    entry: { type: "string", default: join(project, "bin/rcron.ts") },
  },
});

function main(): void {
  const { target } = options;
  if (target !== "x64" && target !== "arm64") throw new Error(`--target must be x64 or arm64: got ${target}`);
  const outdir = resolve(options.outdir ?? join(project, target === here ? "dist" : `dist/${target}`));
  if (options["if-stale"] && isFresh(join(outdir, "rcron"))) return;
  mkdirSync(outdir, { recursive: true });

  // Built beside its place and renamed, so that nobody ever runs half a file.
  const staging = join(outdir, `.build-${process.pid}`);
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging);
  try {
    compile(target, join(staging, "rcron"), join(staging, "modules.json"));
    patch(join(staging, "rcron"));
    for (const name of ["rcron", "modules.json"]) renameSync(join(staging, name), join(outdir, name));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  for (const link of ["rcrond", "rcronctl"]) {
    rmSync(join(outdir, link), { force: true });
    symlinkSync("rcron", join(outdir, link));
  }
  const megabytes = (statSync(join(outdir, "rcron")).size / 1e6).toFixed(1);
  console.error(`built ${join(outdir, "rcron")} (${target}, ${megabytes} MB)`);
}

/** True if the binary is younger than everything that it is made of. */
function isFresh(binary: string): boolean {
  if (!existsSync(binary)) return false;
  const builtMs = statSync(binary).mtimeMs;
  const sources = ["src", "bin"].flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: "utf8" }).map((name) =>
      join(project, folder, name),
    ),
  );
  const files = [
    ...sources,
    join(project, "package.json"),
    join(project, "package-lock.json"),
    join(project, "tsconfig.json"),
  ];
  return files.every((file) => statSync(file).mtimeMs < builtMs);
}

function compile(target: Target, outfile: string, metafile: string): void {
  const words = [
    process.execPath,
    "build",
    "--compile",
    "--production",
    "--bytecode",
    "--format=esm",
    "--splitting",
    "--min-chunk-size=16384", // what several chunks share goes into the first one: one file to load on the hot path
    "--reject-unresolved", // never looks for a module in the directory that it is started in
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--compile-jit-policy=8",
    `--metafile=${metafile}`,
    `--target=${targets[target]}`,
    ...(target === here ? [] : [`--compile-executable-path=${foreignRuntime(target)}`]),
    options.entry,
    `--outfile=${outfile}`,
  ];
  const { exitCode, stdout, stderr } = Bun.spawnSync(words, { cwd: project, timeout: 300_000 });
  if (exitCode !== 0) throw new Error(`bun build failed (exit ${exitCode}):\n${stdout}${stderr}`);
  chmodSync(outfile, 0o755);
}

/**
 * The runtime for another kind of machine, from its npm package: the version and the checksum are those of the lock.
 * @returns the path of its executable, kept in node_modules/.cache
 */
function foreignRuntime(target: Target): string {
  const name = target === "arm64" ? "@oven/bun-linux-aarch64" : "@oven/bun-linux-x64";
  const lock = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8"));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const cache = join(project, "node_modules/.cache/rcron", `${target}-${version}`);
  const executable = join(cache, "package/bin/bun");
  if (existsSync(executable)) return executable;
  mkdirSync(cache, { recursive: true });
  const packed = Bun.spawnSync(["npm", "pack", "--silent", `${name}@${version}`], {
    cwd: cache,
    timeout: 300_000,
  });
  if (packed.exitCode !== 0) throw new Error(`npm pack ${name}@${version} failed:\n${packed.stderr}`);
  const archive = join(cache, packed.stdout.toString().trim());
  const sum = `sha512-${new Bun.CryptoHasher("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (sum !== integrity)
    throw new Error(`${name}@${version}: checksum ${sum}, but package-lock.json has ${integrity}`);
  const unpacked = Bun.spawnSync(["tar", "-xzf", archive, "-C", cache, "package/bin/bun"], {
    timeout: 60_000,
  });
  if (unpacked.exitCode !== 0) throw new Error(`tar failed:\n${unpacked.stderr}`);
  rmSync(archive);
  return executable;
}

/**
 * The environment variables through which whoever sets a job's environment could change the runtime. Their names are
 * made unreachable: the first letters become lower case, which no sane environment has.
 */
const closedVariables = [
  "BUN_BE_BUN", // turns the program into the runtime's own command line
  "BUN_OPTIONS", // preloads any file
  "BUN_INSPECT", // opens a debugger's port; also …_PRELOAD, …_NOTIFY, …_CONNECT_TO
  "BUN_BYTECODE_", // writes files at exit
  "BUN_FEATURE_FLAG_", // among them one that kills all descendants at exit
  "BUN_CONFIG_",
  "BUN_CRASH_REPORT_URL",
  "BUN_ENABLE_CRASH_REPORTING",
  "BUN_DEBUG_",
  "BUN_TRACE",
  "BUN_TMPDIR",
  "BUN_GC_",
  "BUN_GARBAGE_COLLECTOR_LEVEL",
  "BUN_DESTRUCT_VM_ON_EXIT",
  "BUN_THREADPOOL_STATS",
  "BUN_RUNTIME_TRANSPILER_CACHE_PATH",
];

function patch(file: string): void {
  const binary = readFileSync(file);
  for (const name of closedVariables) {
    const count = replaceAll(binary, name, name.replace("BUN_", "bun-"));
    if (count === 0) throw new Error(`patch: ${name} is not in the runtime: has its version changed?`);
  }
  keepDescriptorLimit(binary);
  writeFileSync(file, binary);
}

/**
 * The runtime raises the soft limit of open files to the hard one at its start, and its children inherit that. Its
 * import of setrlimit is turned into one of getrlimit, so that the call changes nothing.
 */
function keepDescriptorLimit(binary: Buffer): void {
  const names = dynamicStrings(binary);
  if (replaceAll(names, "\0setrlimit\0", "\0getrlimit\0") !== 1) {
    throw new Error(
      "patch: setrlimit is not among the runtime's imports exactly once: has its version changed?",
    );
  }
}

/** The section .dynstr of a 64-bit little-endian ELF file, as a view into it. */
function dynamicStrings(binary: Buffer): Buffer {
  const header = Number(binary.readBigUInt64LE(0x28));
  const size = binary.readUInt16LE(0x3a);
  const count = binary.readUInt16LE(0x3c);
  const sections = Array.from({ length: count }, (_, index) => binary.subarray(header + index * size));
  const extent = (section: Buffer) => {
    const offset = Number(section.readBigUInt64LE(0x18));
    return binary.subarray(offset, offset + Number(section.readBigUInt64LE(0x20)));
  };
  const namesSection = sections[binary.readUInt16LE(0x3e)];
  const found = sections.find((section) => {
    const nameAt = section.readUInt32LE(0);
    return namesSection && extent(namesSection).toString("latin1", nameAt, nameAt + 8) === ".dynstr\0";
  });
  if (found === undefined) throw new Error("patch: the runtime has no section .dynstr");
  return extent(found);
}

/** Replaces in place; both texts have the same length. */
function replaceAll(bytes: Buffer, from: string, to: string): number {
  if (from.length !== to.length) throw new Error(`patch: ${from} and ${to} differ in length`);
  let count = 0;
  for (
    let at = bytes.indexOf(from, 0, "latin1");
    at >= 0;
    at = bytes.indexOf(from, at + to.length, "latin1")
  ) {
    bytes.write(to, at, "latin1");
    count++;
  }
  return count;
}

main();

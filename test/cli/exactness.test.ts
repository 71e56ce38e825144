/**
 * The job sees what it would have seen without the prefix: descriptors, signals, limits, environment, folder, process
 * group and all else that Linux tells of a process. Each caller runs one witness twice, bare and behind rcron.
 */
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeWith } from "../support/debian.ts";
import { type Ended, shell, temporaryFolder } from "../support/program.ts";

const witness = `#!/bin/sh
pwd -P
grep -aE '^(Umask|Sig(Blk|Ign|Cgt)|Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups|Cpus_allowed_list|THP_enabled|CoreDumping)' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj /proc/self/coredump_filter /proc/self/personality /proc/self/cgroup
cut -d' ' -f5-8,18,19,40,41 /proc/self/stat | awk '{ $1 = ($1 == $2) ? "group is session" : "group of its own"; $2 = ""; print }'
ls -l /proc/self/fd | sed -n 's/.* \\([0-9]* -> .*\\)/\\1/p' | sed -e 's/[0-9]*\\/fd$/PID\\/fd/' -e 's/pipe:.*/pipe/' -e 's/socket:.*/socket/'
grep -h flags /proc/self/fdinfo/0 /proc/self/fdinfo/1 2>&1
cat /proc/self/environ | tr '\\0' '\\n' | LC_ALL=C sort | grep -av ^_= >"\${0%/*}/environment"
cd "\${0%/*}" && LC_ALL=C grep -ac ^RCRON_ environment >facts; LC_ALL=C grep -av ^RCRON_ environment | od -An -c
echo "[$0]"; for word; do echo "[$word]"; done
`;

/** Python ignores SIGPIPE and SIGXFSZ itself; what a caller did with those two can't be known (docs/limits.md). */
const python =
  "import signal, os, sys; signal.signal(13, signal.SIG_DFL); signal.signal(25, signal.SIG_DFL); ";

const callers: readonly (readonly [claim: string, line: string])[] = [
  ["a plain caller", "%"],
  ["words with blanks and quotes", `% 'a  b' "it's" '' '*'`],
  ["nohup", "nohup %"],
  ["a shell's background job, which ignores INT and QUIT", "% & wait $!"],
  ["a caller that ignores TERM, USR1 and PIPE's neighbour", "trap '' TERM USR1 ALRM; %"],
  [
    "a caller that ignores a real-time signal",
    `python3 -c '${python}signal.signal(40, signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])' %`,
  ],
  [
    "a caller that used posix_spawn",
    `python3 -c '${python}os.waitpid(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)' %`,
  ],
  [
    "a caller that used posix_spawn and ignores HUP",
    `python3 -c '${python}signal.signal(1, signal.SIG_IGN); os.waitpid(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)' %`,
  ],
  [
    "a caller with blocked signals",
    `python3 -c '${python}signal.pthread_sigmask(signal.SIG_BLOCK, {1, 10, 15, 38}); os.execvp(sys.argv[1], sys.argv[1:])' %`,
  ],
  ["an open descriptor 3", "% 3</dev/zero"],
  ["descriptors 5 and 200, as for flock", "bash -c '% 5</etc/passwd 200>lock'"],
  ["a descriptor at the limit of open files", "bash -c 'exec 48</etc/passwd; ulimit -n 49; %'"],
  ["a descriptor above the limit of open files", "bash -c 'exec 100</etc/passwd; ulimit -n 50; %'"],
  ["a descriptor with a high number", "ulimit -n 9000; exec bash -c '% 8000</etc/passwd'"],
  ["a pipe on 4 and a socket", "exec 4<pipe 9>pipe; %"],
  ["a pipe on 4 for a caller that ignores HUP", "exec 4<>pipe 9>pipe; nohup %"],
  ["closed standard input", "% <&-"],
  ["closed standard error", "% 2>&-"],
  ["closed standard input and a descriptor 7", "% <&- 7</etc/passwd"],
  ["standard input read-only from a file, output appended", "% </etc/passwd"],
  ["a small limit of open files", "ulimit -Sn 256; %"],
  ["a small limit of open files, a shell that executes in its place", "ulimit -n 100; exec %"],
  ["other limits", "ulimit -c 0; ulimit -Ss 4096; ulimit -Su 3000; %"],
  ["another umask", "umask 027; %"],
  ["an environment that is not UTF-8", `RAW=$(printf 'a\\377b') %`],
  ["no environment", "env -i %"],
  ["an environment with odd names", "env 'a b=1' '=x' 'A-B=2' %"],
  ["a folder that nobody may read", "cd dark; %"],
  ["a session of its own", "setsid -w %"],
  ["no new privileges", "setpriv --no-new-privs %"],
];

/** Needs root. */
const asAnother =
  "chmod 777 .; rm -f environment facts; setpriv --reuid 65534 --regid 65534 --clear-groups %";

/** What the witness tells behind a caller: bare, and behind rcron. */
async function witnessed(line: string): Promise<{ bare: Ended; wrapped: Ended }> {
  using work = temporaryFolder();
  const at = (name: string) => join(work.path, name);
  writeFileSync(at("witness"), witness, { mode: 0o755 });
  writeFileSync(at("a.conf"), `state_file = ${at("state")}\nnice_level = 0\n`);
  writeFileSync(at("state"), "active\n");
  mkdirSync(at("dark"), { mode: 0o311 });
  Bun.spawnSync(["mkfifo", at("pipe")]);
  Bun.spawnSync(["chmod", "755", work.path]);
  const rcron = `"$(command -v rcron)" --conf ${at("a.conf")}`;
  const inPlace = (command: string) =>
    shell(`exec 8<>pipe; ${line.replace("%", command)}`, { cwd: work.path });
  const bare = await inPlace(at("witness"));
  const wrapped = await inPlace(`${rcron} ${at("witness")}`);
  // The one addition: what the job is told of its run.
  expect(readFileSync(at("facts"), "utf8")).toBe("4\n");
  return { bare, wrapped };
}

describeWith("the job sees what it would have seen without the prefix", ["python3", "setpriv"], () => {
  test.each(callers)("behind %s", async (_, line) => {
    const { bare, wrapped } = await witnessed(line);
    expect(wrapped).toEqual(bare);
    expect(bare.stdout).toContain("SigIgn");
  });

  test("the two signals that the runtime ignores itself are at their default for the job", async () => {
    using work = temporaryFolder();
    const conf = join(work.path, "a.conf");
    writeFileSync(conf, `state_file = ${join(work.path, "state")}\n`);
    writeFileSync(join(work.path, "state"), "active\n");
    for (const caller of ["", "nohup "]) {
      const ended = await shell(
        `${caller}rcron --conf ${conf} sh -c 'yes; echo $? >&2' 2>&1 >/dev/full | tail -n 1; ${caller}rcron --conf ${conf} yes | head -n 1`,
      );
      expect(ended.stdout).toEndWith("y\n");
      const status = await shell(
        `bash -c '${caller}rcron --conf ${conf} yes | head -n 1 >/dev/null; exit \${PIPESTATUS[0]}'`,
      );
      expect(status.exitCode).toBe(141);
    }
  });
});

describeWith("a caller that ignores SIGCHLD", ["python3"], () => {
  const ignoring = `python3 -c '${python}signal.signal(17, signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])'`;

  test.each(["", "BUN_JSC_useJIT=0 "])("%sgets the job's exit status all the same", async (withoutLibc) => {
    for (const [job, status] of [
      ["exit 3", 3],
      ["sleep 0.1; exit 4", 4],
      ["kill -9 $$", 137],
    ] as const) {
      const ended = await shell(`${withoutLibc}${ignoring} rcron --conf /dev/null sh -c '${job}'`);
      expect(ended.exitCode).toBe(status);
    }
  });
});

describeWith("the job sees what it would have seen without the prefix, as root,", ["root", "setpriv"], () => {
  test("behind another user", async () => {
    const { bare, wrapped } = await witnessed(asAnother);
    expect(wrapped).toEqual(bare);
    expect(bare.stdout).toContain("Uid:\t65534");
  });
});

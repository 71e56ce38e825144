/**
 * nodemailer's SMTP connection as one text, made while the program is built.
 *
 * Bundled like our own code, its imports of Node's built-in modules would be put into the file and read at every start, of
 * a passive machine too (docs/decisions/runtime.md). As a text it costs nothing until the first mail goes out.
 */

/**
 * Runs at build time (an import with `type: "macro"`).
 * @returns a CommonJS module, which asks `require` for built-in modules alone
 */
export function packNodemailer(): string {
  const entry = Bun.resolveSync("nodemailer/lib/smtp-connection", import.meta.dir);
  const words = [process.execPath, "build", "--minify", "--format=cjs", "--target=node", entry];
  const { exitCode, stdout, stderr } = Bun.spawnSync(words, { timeout: 60_000 });
  if (exitCode !== 0) throw new Error(`nodemailer can't be packed: ${stderr}`);
  return stdout.toString();
}

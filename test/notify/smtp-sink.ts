/**
 * A real mail server on loopback (smtp-sink.py), and a certificate authority for it.
 */
import { join } from "node:path";
import { project } from "../support/program.ts";

/** What the tests that use it need. */
export const sinkNeeds = ["python3", "/usr/lib/python3/dist-packages/aiosmtpd/smtp.py"];

/** A mail as the server got it. */
export interface SunkMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly tls: boolean;
  readonly user: string | null;
}

export interface Sink extends AsyncDisposable {
  readonly port: number;
  /** Waits, 10 s at most, until there are so many. */
  mails(count: number): Promise<SunkMail[]>;
  /** What has come so far. */
  readonly soFar: readonly SunkMail[];
}

/** Starts a server. @param port 0: any */
export async function startSink(options: readonly string[] = [], port = 0): Promise<Sink> {
  const script = join(project, "test/notify/smtp-sink.py");
  const child = Bun.spawn(["/usr/bin/python3", script, String(port), ...options], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore", // it tells of every client that hangs up
  });
  const ready = Promise.withResolvers<number>();
  const mails: SunkMail[] = [];
  (async () => {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const part of child.stdout) {
      rest += decoder.decode(part, { stream: true });
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        const value = JSON.parse(rest.slice(0, end));
        rest = rest.slice(end + 1);
        if ("port" in value) ready.resolve(value.port);
        else mails.push(value);
      }
    }
    ready.reject(new Error("the mail server did not start"));
  })();
  return {
    port: await ready.promise,
    soFar: mails,
    mails: async (count) => {
      for (const end = Date.now() + 10_000; mails.length < count && Date.now() < end; ) await Bun.sleep(10);
      return mails;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Files of a certificate authority and of a certificate for 127.0.0.1 and localhost. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes them with openssl. */
export function makeCertificates(folder: string): Certificates {
  const files = { ca: `${folder}/ca.pem`, cert: `${folder}/cert.pem`, key: `${folder}/key.pem` };
  const script = `
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out cert.csr
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' > ext
openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem
`;
  const done = Bun.spawnSync(["sh", "-euc", script], { cwd: folder, stderr: "pipe", timeout: 60_000 });
  if (done.exitCode !== 0) throw new Error(`openssl failed: ${done.stderr}`);
  return files;
}

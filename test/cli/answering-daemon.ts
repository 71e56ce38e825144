/** Stand-ins for a running rcrond, for the words of rcronctl: the built program, a real socket, and a handler of the test's own. */
import { afterAll, afterEach } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ControlRequest } from "../../src/model/control-message.ts";
import { Problem } from "../../src/model/problem.ts";
import {
  type ControlHandler,
  type ControlServer,
  listenForControl,
} from "../../src/system/control-socket.ts";
import { binary, run, temporaryFolder } from "../support/program.ts";

/** For a file of tests: a folder, a configuration, and daemons that are closed after each test. @param text of the configuration */
export function answeringDaemons(text: string) {
  const scratch = temporaryFolder();
  afterAll(() => scratch[Symbol.dispose]());
  const open: ControlServer[] = [];
  afterEach(async () => {
    for (const server of open.splice(0)) await server.close();
  });
  const conf = join(scratch.path, "rcron.conf");
  writeFileSync(conf, text);
  const env = { ...process.env, TZ: "Europe/Berlin", COLUMNS: undefined };
  let sockets = 0;
  /** Listens; what it was asked is kept. */
  const listen = (onRequest: ControlHandler) => {
    const path = join(scratch.path, `${sockets++}.sock`);
    const asked: ControlRequest[] = [];
    const server = listenForControl({
      path,
      onRequest: (request, ...rest) => {
        asked.push(request);
        return onRequest(request, ...rest);
      },
    });
    if (server instanceof Problem) throw server;
    open.push(server);
    const words = (own: readonly string[]) => {
      return [binary, "--as", "rcronctl", ...own, "--socket", path, "--conf", conf];
    };
    return { path, server, asked, words, ctl: (...own: string[]) => run(words(own), { env }) };
  };
  return { scratch, conf, env, listen };
}

/**
 * Logs more than any socket holds, closes with a second's wait, and prints how long that took and how much of it was work:
 * two whole numbers, milliseconds. mute-log.test.ts runs it.
 */
import { Syslog } from "../../src/system/syslog.ts";

const log = new Syslog({ ident: "flood", pid: process.pid });
for (let line = 0; line < 60; line++) log.log("LOG_CRON", "LOG_INFO", "x".repeat(7900));
const beganMs = performance.now();
const workBefore = process.cpuUsage();
await log.close(1000);
const work = process.cpuUsage(workBefore);
console.log(Math.round(performance.now() - beganMs), Math.round((work.user + work.system) / 1000));

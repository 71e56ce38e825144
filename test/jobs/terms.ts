/** The terms on which tests read job files. */
import type { JobTerms } from "../../src/jobs/jobs.ts";

/** On `host-a`, where root, mona and nobody else is known. */
export const terms: JobTerms = {
  hostName: "host-a",
  mailTo: "root@localhost",
  findUser: (name) =>
    name === "root"
      ? { uid: 0, home: "/root" }
      : name === "mona"
        ? { uid: 1000, home: "/home/mona" }
        : undefined,
};

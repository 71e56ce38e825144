/**
 * The words of `rcronctl` about this machine: its state, who writes it, and what is wrong here.
 */
import { conf, json, type Vocabulary } from "./control-word.ts";

export const stateWords: Vocabulary = {
  state: {
    usage: "[--is active|passive]",
    summary: "show this machine's state, where it comes from, and what rcron would do now",
    about: `Shows the state file's word, the verdict with its reason, since when it holds and
by whom, what each witness of rcron.conf says, and what rcron would do now.
`,
    options: {
      conf,
      is: { value: "WORD", help: "print nothing: exit 0 if the verdict is WORD, 1 if it is the other" },
      json,
    },
    run: async (given) => (await import("./state.ts")).showState(given),
  },
  "state set": {
    usage: "active|passive",
    summary: "write this machine's word",
    about: `Writes the word and where it comes from to the state file, in one step. Scripts of
whoever elects call it; a call that was started before the one that wrote last is
overtaken and writes nothing. By hand it holds until the next change by whoever
elects; with --valid-for, no longer than that.
`,
    options: {
      conf,
      "state-file": { value: "FILE", help: "write this file (default: state_file of the configuration)" },
      instance: { value: "NAME", help: "the VRRP instance or group that the word is for" },
      event: { value: "TEXT", help: "what was told: MASTER, BACKUP, STOP, ..." },
      writer: { value: "NAME", help: "who says so (default: your user name)" },
      "writer-pid": {
        value: "PID",
        help: "the process that stands behind the word: require_writer asks for it",
      },
      "valid-for": {
        value: "TIME",
        help: "the word holds so long, e.g. 90s, 5m, 2h, 1d, and is in doubt then",
      },
      "new-epoch": { help: "a new epoch even if the word is the old one" },
      json,
    },
    run: async (given) => (await import("./state-set.ts")).setState(given),
  },
  follow: {
    usage: "NAME[=STATE_FILE]... FIFO",
    summary: "read keepalived's notify FIFO and write the state (keepalived starts it)",
    about: `keepalived starts it as vrrp_notify_fifo_script and gives it the FIFO as the last
word. NAME is a VRRP instance, group:NAME a group; each needs a state file of its
own (the first one without =STATE_FILE has state_file of the configuration).
Events become words in their order; if keepalived dies, its active words become
passive.
`,
    options: {
      conf,
      "valid-for": {
        value: "TIME",
        help: "an active word holds so long, and is renewed thrice in that time",
      },
    },
    run: async (given) => (await import("./follow.ts")).followFifo(given),
  },
  doctor: {
    usage: "",
    summary: "look at this machine and say what would go wrong, and what to do about it",
    about: `Looks at rcron.conf, the state file, keepalived.conf and its scripts, cron, the
crontabs, syslog and the clock. Changes nothing. Exit status 1 if there is an error
or a warning.
`,
    options: { conf, json },
    run: async (given) => (await import("./doctor.ts")).diagnose(given),
  },
};

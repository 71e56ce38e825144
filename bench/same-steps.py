"""The steps of rcron's prefix in Python, for comparison: configuration, state, syslog, priority, job.

    python3 same-steps.py CONF WORD...

Written for the benchmark with what the standard library offers for each step, and no more: no option parser, no checks.
"""

import os
import subprocess
import sys
import syslog
import time

conf_path, words = sys.argv[1], sys.argv[2:]
conf = {}
with open(conf_path, encoding="utf-8") as file:
    for line in file:
        line = line.strip()
        if line and line[0] not in "#;":
            key, _, value = line.partition("=")
            conf[key.strip()] = value.strip()
with open(conf["state_file"], encoding="utf-8") as file:
    state = file.read().strip().lower()

syslog.openlog("same-steps", syslog.LOG_PID, getattr(syslog, conf["syslog_facility"]))
level = getattr(syslog, conf["syslog_level"])


def log(status):
    syslog.syslog(
        level, f"cluster={conf['cluster_name']} state={state} status={status} cmd={' '.join(words)}"
    )


if state != "active":
    log("ignore")
    sys.exit(0)
log("start")
started = time.monotonic()
os.nice(int(conf["nice_level"]))
exit_code = subprocess.call(words)
log(f"{'fail' if exit_code else 'ok'} dur={int(time.monotonic() - started)}")
sys.exit(exit_code)

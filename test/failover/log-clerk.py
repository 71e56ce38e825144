"""Writes down what the hosts of the failover bed tell syslog, one line each: MILLISECONDS HOST IDENT: MESSAGE

log-clerk.py RECORD SOCKET...   each SOCKET becomes one host's log socket; its file name without ".log" is the host's

keepalived, the notify scripts and rcron all speak through syslog, so this one record has the election, the words and
every verdict in the order in which they happened, by one clock.
"""
import os
import re
import selectors
import socket
import sys
import time

# <PRIORITY>Mmm dd hh:mm:ss IDENT[PID]: MESSAGE
OPENING = re.compile(r"^<\d+>(?:\w{3} [ \d]\d \d\d:\d\d:\d\d )?(?:\S+ (?=\S+\[))?")


def main(record, *paths):
    selector = selectors.DefaultSelector()
    for path in paths:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(path)
        os.chmod(path, 0o666)
        host = os.path.basename(path)[: -len(".log")]
        selector.register(server, selectors.EVENT_READ, host)
    with open(record, "a", encoding="utf-8") as file:
        while True:
            for key, _ in selector.select():
                text = key.fileobj.recv(65536).decode("utf-8", "replace").rstrip("\0\n")
                text = OPENING.sub("", text).replace("\n", " ")
                file.write(f"{time.time_ns() // 1_000_000} {key.data} {text}\n")
            file.flush()


main(*sys.argv[1:])

"""A log daemon to misbehave with, on the private host's /dev/log. Only syslog.test.ts runs it.

log-socket.py record FILE           reads, and writes each datagram to FILE as a line of hexadecimal digits
log-socket.py full FILE READY GO    fills its own queue, makes READY, and does not read before GO exists; then like record
log-socket.py fill READY            fills the queue of somebody else's socket, makes READY, ends
log-socket.py stream FILE           the same as record for a socket of type stream, a line for each NUL-ended message
log-socket.py deaf READY            a stream socket that accepts nobody and has no room left for another who waits
log-socket.py mute-stream READY     a stream socket that accepts one and never reads
log-socket.py libc IDENT FACILITY LEVEL    logs standard input through the C library's syslog(3), facility and level as numbers
log-socket.py no-exec COMMAND...    runs a command that may not make memory executable (PR_SET_MDWE)
"""
import ctypes
import os
import socket
import sys
import time

PATH = "/dev/log"


def bind(kind):
    server = socket.socket(socket.AF_UNIX, kind)
    server.bind(PATH)
    os.chmod(PATH, 0o666)
    return server


def fill():
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.connect(PATH)
    filler.setblocking(False)
    try:
        while True:
            filler.send(b"<14>filler: fills the queue")
    except BlockingIOError:
        return


def touch(path):
    open(path, "w").close()


def record(server, path):
    with open(path, "a") as file:
        while True:
            file.write(server.recv(65536).hex() + "\n")
            file.flush()


def main(action, *words):
    if action == "record":
        record(bind(socket.SOCK_DGRAM), words[0])
    elif action == "full":
        server = bind(socket.SOCK_DGRAM)
        fill()
        touch(words[1])
        while not os.path.exists(words[2]):
            time.sleep(0.01)
        record(server, words[0])
    elif action == "fill":
        fill()
        touch(words[0])
    elif action == "stream":
        server = bind(socket.SOCK_STREAM)
        server.listen(16)
        connection, _ = server.accept()
        rest = b""
        with open(words[0], "a") as file:
            while data := connection.recv(65536):
                *messages, rest = (rest + data).split(b"\0")
                for message in messages:
                    file.write(message.hex() + "\n")
                    file.flush()
    elif action == "deaf":
        server = bind(socket.SOCK_STREAM)
        server.listen(0)
        waiting = []
        try:
            while True:
                client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                client.setblocking(False)
                waiting.append(client)
                client.connect(PATH)
        except BlockingIOError:
            touch(words[0])
        time.sleep(60)
    elif action == "mute-stream":
        server = bind(socket.SOCK_STREAM)
        server.listen(16)
        touch(words[0])
        connection, _ = server.accept()
        time.sleep(60)
    elif action == "libc":
        libc = ctypes.CDLL(None)
        log_pid = 1
        ident = words[0].encode()  # openlog keeps the pointer
        libc.openlog(ident, log_pid, int(words[1]) << 3)
        libc.syslog(int(words[2]), b"%s", sys.stdin.buffer.read())
    elif action == "no-exec":
        pr_set_mdwe, refuse_exec_gain = 65, 1
        if ctypes.CDLL(None).prctl(pr_set_mdwe, refuse_exec_gain, 0, 0, 0) != 0:
            sys.exit("this kernel has no PR_SET_MDWE")
        os.execvp(words[0], words)


main(*sys.argv[1:])

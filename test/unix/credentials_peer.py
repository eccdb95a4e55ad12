"""Connects to a Unix socket, or listens on one, as a user of its own, and stays until its input ends.

credentials_peer.py connect|listen path [uid gid group,group,...]

Prints its process ID when it is connected, or listens; then each line that it receives. With "connect-late", it takes the user only once
it is connected. With "pass", a child that has changed its user has the connection when the parent is gone.
"""

import os
import socket
import sys

kind, path, *user = sys.argv[1:]


def become():
    if not user:
        return
    uid, gid, groups = user
    os.setgroups([int(group) for group in groups.split(",") if group])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))


sock = socket.socket(socket.AF_UNIX)
if kind == "listen":
    become()
    sock.bind(path)
    sock.listen()
    print(os.getpid(), flush=True)
    connection, _ = sock.accept()
    connection.sendall(b"welcome\n")
    sys.stdin.read()
    os.unlink(path)
else:
    if kind == "connect":
        become()
    sock.connect(path)
    print(os.getpid(), flush=True)
    if kind != "connect":
        if kind == "pass" and os.fork() != 0:
            os._exit(0)
        become()
    for line in sock.makefile():
        print(line, end="", flush=True)
    print("end", flush=True)
    sys.stdin.read()

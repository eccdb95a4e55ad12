"""Makes sockets as it is told, passes them to a command from descriptor 3 on, and becomes that command.

launch.py '[{"kind": ..., "path": ..., "name": ...}, ...]' [--activate] command ...

With --activate, it sets the variables of systemd's socket activation.
"""

import json
import os
import socket
import sys

specification, *command = json.loads(sys.argv[1]), *sys.argv[2:]
FIRST = 3


def make(kind, path=None, **_):
    if kind == "file":
        return os.open("/etc/hosts", os.O_RDONLY)
    if kind == "pipe":
        return os.pipe()[0]
    family = {"tcp": socket.AF_INET, "udp": socket.AF_INET, "netlink": getattr(socket, "AF_NETLINK", 0)}
    what, _, state = kind.partition(" ")
    types = {"dgram": socket.SOCK_DGRAM, "udp": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET, "netlink": socket.SOCK_RAW}
    sock = socket.socket(family.get(what, socket.AF_UNIX), types.get(what, socket.SOCK_STREAM))
    address = ("127.0.0.1", 0) if what in ("tcp", "udp") else path
    if path is not None and path.startswith("@"):
        address = "\0" + path[1:]
    if state in ("bound", "listening"):
        sock.bind(address)
    if state == "listening":
        sock.listen()
    if state in ("connected", "reset"):
        if what == "tcp":
            server = socket.create_server(("127.0.0.1", 0))
            address = server.getsockname()
            if state == "connected":
                # Held open by this process, whatever becomes of it.
                os.dup2(server.fileno(), 300)
        sock.connect(address)
    return sock.detach()


made = [make(**one) for one in specification]
# Out of the way of the descriptors where they are to be.
away = [os.dup2(fd, 200 + index) for index, fd in enumerate(made)]
for index, fd in enumerate(away):
    os.dup2(fd, FIRST + index, inheritable=True)
    os.close(fd)
if command[0] == "--activate":
    command = command[1:]
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(made))
    names = [one["name"] for one in specification if "name" in one]
    if names:
        os.environ["LISTEN_FDNAMES"] = ":".join(names)
os.execvp(command[0], command)

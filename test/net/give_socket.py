"""Makes sockets of the kinds named in argv[1] (with commas) at descriptors 3, 4, ..., and becomes the program in argv[2:], as a service manager does."""
import fcntl
import os
import socket
import struct
import sys


def inet(family, kind, bind=None):
    sock = socket.socket(family, kind)
    if bind:
        sock.bind(bind)
    return sock


def connected(reset):
    listener = socket.create_server(("127.0.0.1", 0))
    sock = socket.create_connection(listener.getsockname())
    peer, _ = listener.accept()
    peer.send(b"before the reset\n")
    if reset:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    return sock


def unix(kind, bind=None):
    sock = socket.socket(socket.AF_UNIX, kind)
    if bind is not None:
        sock.bind(bind)
    return sock


PATH = os.environ.get("SOCKET_PATH", "")
STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
KINDS = {
    "udp": lambda: inet(socket.AF_INET, DGRAM),
    "udp-bound": lambda: inet(socket.AF_INET, DGRAM, ("127.0.0.1", 0)),
    "udp6": lambda: inet(socket.AF_INET6, DGRAM),
    "tcp": lambda: inet(socket.AF_INET, STREAM),
    "tcp-bound": lambda: inet(socket.AF_INET, STREAM, ("127.0.0.1", 0)),
    "tcp6-bound": lambda: inet(socket.AF_INET6, STREAM, ("::1", 0)),
    "tcp-reset": lambda: connected(True),
    "unix": lambda: unix(STREAM),
    "unix-bound": lambda: unix(STREAM, PATH),
    "unix-abstract": lambda: unix(STREAM, "\0" + PATH),
    "unix-datagram": lambda: unix(DGRAM),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
}

made = [KINDS[kind]() for kind in sys.argv[1].split(",")]
high = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 100) for sock in made]
for number, fd in enumerate(high, 3):
    os.dup2(fd, number)
os.execvp(sys.argv[2], sys.argv[2:])

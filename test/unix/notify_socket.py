"""Receives the messages of `sd_notify()`: prints each, with the contents of the files that came with it.

notify_socket.py path [number of messages that wait before it reads]

A path that begins with "@" is an abstract name.
"""

import json
import os
import socket
import sys

path = sys.argv[1]
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("\0" + path[1:] if path.startswith("@") else path)
print("bound", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        data, fds, _, _ = socket.recv_fds(server, 4096, 253)
        files = [os.readlink(f"/proc/self/fd/{fd}") for fd in fds]
        for fd in fds:
            os.close(fd)
        print(json.dumps([data.decode(), files]), flush=True)
if not path.startswith("@"):
    os.unlink(path)

"""Connects to a path so many times, says so through a file, and tells what each connection was answered.

A path that begins with "@" is an abstract name.
"""

import json
import pathlib
import socket
import sys

path, count, marker = sys.argv[1:]
clients = []
for number in range(int(count)):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect("\0" + path[1:] if path.startswith("@") else path)
    client.sendall(b"%d\n" % number)
    clients.append(client)
pathlib.Path(marker).touch()
answers = []
for client in clients:
    try:
        answers.append(client.makefile("rb").readline().decode().strip())
    except OSError as error:
        answers.append(type(error).__name__)
    client.close()
print(json.dumps(answers))

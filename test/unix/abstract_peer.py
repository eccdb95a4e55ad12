"""A peer on an abstract name, given in hex: `serve` answers one client's line with "python: " and the line, `connect` sends a line and tells the answer."""

import json
import socket
import sys

role, name = sys.argv[1], bytes.fromhex(sys.argv[2])
with socket.socket(socket.AF_UNIX) as sock:
    if role == "serve":
        sock.bind(name)
        sock.listen()
        print(json.dumps("ready"))
        client, _ = sock.accept()
        with client, client.makefile("rb") as lines:
            line = lines.readline()
            client.sendall(b"python: " + line)
        print(json.dumps(line.decode()))
    else:
        sock.connect(name)
        sock.sendall(b"hello\n")
        answer = sock.makefile("rb").readline().decode()
        print(json.dumps([answer, sock.getpeername().hex()]))

"""Listens on a path with the shortest queue. At a line of input, accepts clients and greets each."""

import os
import socket
import sys

path = sys.argv[1]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(1)
print("listening", flush=True)
sys.stdin.readline()
clients = []
for _ in range(3):
    client, _ = server.accept()
    client.sendall(b"accepted\n")
    clients.append(client)
sys.stdin.read()
os.unlink(path)

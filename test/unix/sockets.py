"""Makes a socket of the named kind at a path, and holds it until its input ends.

dgram, seqpacket: sockets of other types; full: a stream socket that listens, and whose queue is full; bound: one that does not listen; stream: one that
answers its first client with "undisturbed".
"""

import json
import socket
import sys

kind, path = sys.argv[1:]
types = {"dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
server = socket.socket(socket.AF_UNIX, types.get(kind, socket.SOCK_STREAM))
server.bind(path)
if kind == "seqpacket":
    server.listen()
clients = []
if kind == "full":
    server.listen(0)
    while True:
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].setblocking(False)
        try:
            clients[-1].connect(path)
        except BlockingIOError:
            break
print(json.dumps("ready"))
sys.stdin.read()

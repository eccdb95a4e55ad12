"""Connects to the path given and stops reading by shutdown(SHUT_RD); then sends each line of its standard input, and ends with it."""

import socket
import sys

peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.shutdown(socket.SHUT_RD)
print("deaf")
for line in sys.stdin:
    peer.sendall(line.encode())

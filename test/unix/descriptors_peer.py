"""Exchanges bytes and descriptors with this library, over `socket.send_fds()` and `socket.recv_fds()`.

descriptors_peer.py send path seed count       sends messages, each of a header, bytes and files with numbers in them
descriptors_peer.py receive path seed          receives and checks such messages
descriptors_peer.py flood path count per_byte  sends one byte with descriptors again and again
descriptors_peer.py echo path                  sends back what it receives

A message is its size and its number of files (two integers of 32 bits, little-endian), and its bytes. Files are numbered in order.
The last message has the size 0xffffffff and the number of all files.
"""

import hashlib
import os
import random
import socket
import struct
import sys

END = 0xFFFFFFFF
kind, path, *args = sys.argv[1:]
sock = socket.socket(socket.AF_UNIX)
sock.connect(path)


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def numbered(number):
    descriptor = os.memfd_create(f"file-{number}")
    os.write(descriptor, b"%d" % number)
    return descriptor


def send(seed, count):
    chance = random.Random(seed)
    digest = hashlib.sha256()
    files = 0
    for _ in range(count):
        size = chance.choice([0, 1, 10, 100, 5_000, 70_000, 300_000])
        wanted = chance.choice([0, 0, 1, 2, 5, 100])
        data = struct.pack("<II", size, wanted) + chance.randbytes(size)
        digest.update(data)
        descriptors = [numbered(files + index) for index in range(wanted)]
        files += wanted
        sent = socket.send_fds(sock, [data], descriptors) if descriptors else sock.send(data)
        for descriptor in descriptors:
            os.close(descriptor)
        if sent < len(data):
            sock.sendall(data[sent:])
    sock.sendall(struct.pack("<II", END, files) + digest.digest())
    sock.shutdown(socket.SHUT_WR)
    print(sock.recv(100).decode(), flush=True)


def receive(seed):
    chance = random.Random(seed)
    buffered, descriptors, files, late = b"", [], 0, 0
    digest = hashlib.sha256()
    before = open_descriptors()

    def fill(size):
        nonlocal buffered
        while len(buffered) < size:
            data, received, flags, _ = socket.recv_fds(sock, chance.choice([1, 13, 4_096, 100_000]), 253)
            assert not flags & socket.MSG_CTRUNC
            if not data:
                raise EOFError
            buffered += data
            descriptors.extend(received)

    while True:
        fill(1)
        at_first_byte = len(descriptors)
        fill(8)
        size, wanted = struct.unpack("<II", buffered[:8])
        if size == END:
            fill(40)
            print("hash", buffered[8:40] == digest.digest(), "files", files, "of", wanted, "late", late, flush=True)
            break
        late += at_first_byte < wanted
        fill(8 + size)
        digest.update(buffered[: 8 + size])
        buffered = buffered[8 + size :]
        for descriptor in descriptors[:wanted]:
            assert os.pread(descriptor, 20, 0) == b"%d" % files
            files += 1
            os.close(descriptor)
        del descriptors[:wanted]
    print("left", len(descriptors) + open_descriptors() - before, flush=True)
    sock.sendall(b"thanks")


def flood(count, per_byte):
    descriptor = os.open("/dev/null", os.O_RDONLY)
    try:
        for _ in range(count):
            socket.send_fds(sock, [b"x"], [descriptor] * per_byte)
        print("sent all", flush=True)
    except OSError as error:
        print("stopped", error.errno, flush=True)
    sys.stdin.read()


def echo():
    while True:
        data, descriptors, _, _ = socket.recv_fds(sock, 65_536, 253)
        if not data:
            break
        socket.send_fds(sock, [data], descriptors) if descriptors else sock.sendall(data)
        for descriptor in descriptors:
            os.close(descriptor)


{"send": send, "receive": receive, "flood": flood, "echo": echo}[kind](*[int(arg) for arg in args])

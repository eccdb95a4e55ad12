"""Speaks netstrings on a Unix socket: netstring_client.py <path> <scenario>. Prints what it is answered, one answer a line."""

import socket
import sys

path, scenario = sys.argv[1:]
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
stream = connection.makefile("rb")


def send(*requests: bytes) -> None:
    connection.sendall(b"".join(b"%d:%s," % (len(request), request) for request in requests))


def receive() -> bytes:
    digits = b""
    while (byte := stream.read(1)) != b":":
        if byte == b"":
            raise EOFError
        digits += byte
    body = stream.read(int(digits))
    assert stream.read(1) == b","
    return body


def until_end() -> None:
    try:
        while True:
            print(receive().decode())
    except (EOFError, ConnectionResetError):
        print("end")


if scenario == "one by one":
    for request in (b"add apples 3", b"add apples", b"get apples", b"get pears", b"eat apples", "add \u00fc 7".encode()):
        send(request)
        print(receive().decode())
elif scenario == "pipelined":
    send(*[b"add many"] * 5000)
    connection.shutdown(socket.SHUT_WR)
    until_end()
elif scenario == "byte by byte":
    for byte in b"12:add slowly 9,":
        connection.send(bytes([byte]))
    print(receive().decode())
elif scenario == "too large":
    send(b"get apples", b"x" * 2000)
    until_end()
elif scenario == "malformed":
    send(b"get apples")
    connection.sendall(b"5:hello;")
    until_end()

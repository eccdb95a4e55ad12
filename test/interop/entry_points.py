"""CPython's entry points, one at a time: entry_points.py <entry point> <path, or "tcp" and perhaps a port> <folder of certificates or "plain">.

A server prints its address and upper-cases lines until its input ends; a client has two lines upper-cased, and prints "ok".
"""

import asyncio
import ssl
import sys

name, where, folder = sys.argv[1:]
is_server = "server" in name
LINES = [b"one\n", b"two " + b"2" * 50_000 + b"\n"]

options = {}
if folder != "plain":
    if is_server:
        options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl"].load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key.pem")
    else:
        options["ssl"] = ssl.create_default_context(cafile=f"{folder}/ca.pem")
        options["server_hostname"] = "localhost"


class Upper(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data.upper())


class Asking(asyncio.Protocol):
    def __init__(self):
        self.received = b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.writelines(LINES)

    def data_received(self, data):
        self.received += data
        if len(self.received) == sum(map(len, LINES)):
            self.transport.close()

    def connection_lost(self, error):
        self.ended.set_exception(error) if error else self.ended.set_result(None)


async def serve_streams(reader, writer):
    async for line in reader:
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def serve():
    loop = asyncio.get_running_loop()
    entry = getattr(asyncio, name, None) or getattr(loop, name)
    callback = serve_streams if name.startswith("start_") else Upper
    address = ["127.0.0.1", 0] if where == "tcp" else [where]
    server = await entry(callback, *address, **options)
    print(where if where != "tcp" else server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


async def ask():
    loop = asyncio.get_running_loop()
    entry = getattr(asyncio, name, None) or getattr(loop, name)
    address = ["127.0.0.1", int(where)] if where.isdigit() else [where]
    if name.startswith("open_"):
        reader, writer = await entry(*address, **options)
        writer.writelines(LINES)
        received = b"".join([await reader.readline() for _ in LINES])
        writer.close()
        await writer.wait_closed()
    else:
        _, protocol = await entry(Asking, *address, **options)
        await protocol.ended
        received = protocol.received
    assert received == b"".join(LINES).upper(), received
    print("ok")


asyncio.run(serve() if is_server else ask())

"""The ends of connections over asyncio's streams, for the scripts that are peers of our tests. Any CPython from 3.8 on will do."""

import asyncio
import os
import sys


async def serve(answer, kind, path=None, **options):
    """Prints "ready", over TCP with the port, once it listens; ends with the standard input."""
    if kind == "unix":
        server = await asyncio.start_unix_server(answer, path, **options)
        print("ready", flush=True)
    else:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, **options)
        print("ready", server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()
    asyncio.get_running_loop().remove_reader(sys.stdin)
    server.close()
    if path is not None and os.path.exists(path):
        os.unlink(path)


async def connect(kind, address, **options):
    """Connects to a path or, on this machine, to a port."""
    if kind == "unix":
        return await asyncio.open_unix_connection(address, **options)
    return await asyncio.open_connection("127.0.0.1", int(address), **options)

"""CPython's asyncio Streams, on its own event loop or on uvloop's: asyncio_server.py <socket path> <form> asyncio|uvloop"""

import asyncio
import json
import resource
import sys

BLOCK_BYTES = 1024 * 1024


async def readline(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def read(reader, writer):
    while await reader.read(65536):
        pass
    writer.close()


async def readexactly(reader, writer):
    try:
        while True:
            await reader.readexactly(BLOCK_BYTES)
    except asyncio.IncompleteReadError:
        writer.close()


async def frames(reader, writer):
    try:
        while True:
            header = await reader.readexactly(4)
            writer.write(header + await reader.readexactly(int.from_bytes(header, "big")))
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def text(reader, writer):
    while line := await reader.readline():
        writer.write((line.decode()[:-2] + "\r\n").encode())
        await writer.drain()
    writer.close()


async def json_values(reader, writer):
    while line := await reader.readline():
        writer.write((json.dumps(json.loads(line), separators=(",", ":")) + "\n").encode())
        await writer.drain()
    writer.close()


async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def relay(reader, writer):
    far_reader, far_writer = await asyncio.open_unix_connection(path + ".up")
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)
    writer.close()
    far_writer.close()


FORMS = {
    "readline": readline,
    "read": read,
    "readexactly": readexactly,
    "frames": frames,
    "text": text,
    "json": json_values,
    "relay": relay,
}


async def main(path, form):
    server = await asyncio.start_unix_server(FORMS[form], path, backlog=511)
    print("ready", flush=True)
    await server.serve_forever()


path, form, loop = sys.argv[1:]
hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
if loop == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main(path, form))

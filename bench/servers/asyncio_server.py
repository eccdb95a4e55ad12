"""CPython's asyncio Streams, on its own event loop or on uvloop's: asyncio_server.py <socket path> <form> asyncio|uvloop"""

import asyncio
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


async def main(path, form):
    server = await asyncio.start_unix_server({"readline": readline, "read": read, "readexactly": readexactly}[form], path, backlog=511)
    print("ready", flush=True)
    await server.serve_forever()


path, form, loop = sys.argv[1:]
hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
if loop == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main(path, form))

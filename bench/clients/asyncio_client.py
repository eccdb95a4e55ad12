"""Client connections on CPython's asyncio Streams: asyncio_client.py <path or port> connect asyncio|uvloop <line bytes> <connections> <count>

Obeys "run <milliseconds>" like bench/load/runs.ts. A count other than 0 ends a run after as many connections.
"""

import asyncio
import json
import sys
import time

where, _, loop, line_bytes, connections, count = sys.argv[1:]
request = b"x" * (int(line_bytes) - 1) + b"\n"


async def converse():
    if where.isdigit():
        reader, writer = await asyncio.open_connection("127.0.0.1", int(where))
    else:
        reader, writer = await asyncio.open_unix_connection(where)
    writer.write(request)
    answer = await reader.readline()
    assert len(answer) == len(request)
    writer.close()
    await writer.wait_closed()


async def run(seconds):
    began = time.monotonic()
    end = began + seconds
    begun = done = 0

    async def lane():
        nonlocal begun, done
        while begun < int(count) if count != "0" else time.monotonic() < end:
            begun += 1
            await converse()
            done += 1

    await asyncio.gather(*(lane() for _ in range(int(connections))))
    print(json.dumps({"units": done, "seconds": time.monotonic() - began, "p50": 0, "p90": 0, "p99": 0}), flush=True)


if loop == "uvloop":
    import uvloop

    uvloop.install()
runner = asyncio.Runner() if sys.version_info >= (3, 11) else None
print("ready", flush=True)
for command in sys.stdin:
    call = run(int(command.split()[1]) / 1e3)
    if runner is None:
        asyncio.run(call)
    else:
        runner.run(call)

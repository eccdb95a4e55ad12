"""The other end of the conversations in conversations.ts, over CPython's asyncio streams. Any CPython from 3.8 on will do.

    peer.py serve unix PATH                  peer.py connect unix PATH CONVERSATION
    peer.py serve tcp                        peer.py connect tcp PORT CONVERSATION

A server prints "ready" (over TCP with its port) once it listens, and ends with its standard input. A client prints "ok" when its conversation went well.
"""

import asyncio
import hashlib
import os
import pathlib
import struct
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parent.parent / "support"))

import ends  # noqa: E402

SIZE = 8 << 20
LINES = [b"one\n", b"\n", b"three " + b"3" * 5000 + b"\n", b"four\r\n", b"no newline"]
FRAMES = [0, 1, 255, 65536, 100000]


async def send(writer, size):
    """Random bytes and their checksum."""
    data = os.urandom(size)
    for at in range(0, size, 100_000):
        writer.write(data[at : at + 100_000])
        await writer.drain()
    writer.write(hashlib.sha256(data).digest())
    await writer.drain()


async def receive(reader, size):
    data = await reader.readexactly(size)
    assert await reader.readexactly(32) == hashlib.sha256(data).digest(), "the checksum is wrong"


# ---- the side that begins


async def ask_lines(reader, writer):
    writer.writelines(LINES)
    writer.write_eof()
    for line in LINES:
        assert await reader.readline() == line.rstrip().upper() + b"\n"
    assert await reader.readline() == b"%d lines\n" % len(LINES)
    assert await reader.read() == b""


async def ask_frames(reader, writer):
    for size in FRAMES:
        body = os.urandom(size)
        writer.write(struct.pack(">I", size) + body)
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        assert await reader.readexactly(length) == body[::-1]
    writer.write_eof()
    assert await reader.read() == b""


async def ask_bulk(reader, writer):
    await asyncio.gather(send(writer, SIZE), receive(reader, SIZE))
    assert await reader.readline() == b"done\n"


async def ask_hang(reader, writer):
    """Begins a message, and never ends it: whoever started this process kills it."""
    writer.write(b"part")
    await reader.read()


# ---- the side that answers


async def answer_lines(reader, writer):
    count = 0
    async for line in reader:
        count += 1
        writer.write(line.rstrip().upper() + b"\n")
        await writer.drain()
    writer.write(b"%d lines\n" % count)


async def answer_frames(reader, writer):
    while True:
        try:
            (length,) = struct.unpack(">I", await reader.readexactly(4))
        except asyncio.IncompleteReadError as error:
            assert error.partial == b""
            return
        body = await reader.readexactly(length)
        writer.write(struct.pack(">I", length) + body[::-1])
        await writer.drain()


async def answer_bulk(reader, writer):
    await asyncio.gather(send(writer, SIZE), receive(reader, SIZE))
    writer.write(b"done\n")


async def answer_hang(reader, writer):
    """Begins an answer, never ends it and reads nothing more: whoever started this process kills it."""
    writer.transport.pause_reading()
    writer.write(b"part")
    await asyncio.Event().wait()


ASK = {"lines": ask_lines, "frames": ask_frames, "bulk": ask_bulk, "hang": ask_hang}
ANSWER = {"lines": answer_lines, "frames": answer_frames, "bulk": answer_bulk, "hang": answer_hang}


async def answer(reader, writer):
    name = (await reader.readline()).decode().strip()
    await ANSWER[name](reader, writer)
    writer.close()


async def ask(kind, address, name):
    reader, writer = await ends.connect(kind, address)
    writer.write(name.encode() + b"\n")
    await ASK[name](reader, writer)
    writer.close()
    await writer.wait_closed()
    print("ok", flush=True)


what, *rest = sys.argv[1:]
asyncio.run(ends.serve(answer, *rest) if what == "serve" else ask(*rest))

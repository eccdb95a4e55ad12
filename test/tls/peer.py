"""The other end of the conversations in conversations.ts, over CPython's asyncio with TLS. CPython >= 3.8; startTls needs 3.11.

    peer.py CERTIFICATES VERSION BEGIN serve unix PATH        peer.py CERTIFICATES VERSION BEGIN connect unix PATH CONVERSATION
    peer.py CERTIFICATES VERSION BEGIN serve tcp              peer.py CERTIFICATES VERSION BEGIN connect tcp PORT CONVERSATION

VERSION is TLSv1.2 or TLSv1.3, BEGIN ssl, startTls, or nested: startTls within ssl. A server prints "ready" (over TCP with its port), and ends
with its standard input. A client prints "ok" when its conversation went well, with the cipher that it saw.
"""

import asyncio
import hashlib
import json
import os
import pathlib
import ssl
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parent.parent / "support"))

import ends  # noqa: E402

FOLDER, VERSION, BEGIN = sys.argv[1:4]
CHUNK = 1 << 18


def context(server):
    if server:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(f"{FOLDER}/server.pem", f"{FOLDER}/server.key.pem")
    else:
        made = ssl.create_default_context(cafile=f"{FOLDER}/ca.pem")
    made.minimum_version = made.maximum_version = getattr(ssl.TLSVersion, VERSION.replace(".", "_"))
    return made


async def send(writer, size):
    """Random bytes, and then a line with their checksum."""
    digest = hashlib.sha256()
    while size > 0:
        data = os.urandom(min(size, CHUNK))
        digest.update(data)
        writer.write(data)
        await writer.drain()
        size -= len(data)
    writer.write(digest.hexdigest().encode() + b"\n")
    await writer.drain()


async def receive(reader, size):
    digest = hashlib.sha256()
    while size > 0:
        data = await reader.readexactly(min(size, CHUNK))
        digest.update(data)
        size -= len(data)
    assert await reader.readline() == digest.hexdigest().encode() + b"\n", "the checksum is wrong"


# ---- the side that begins


async def ask_lines(reader, writer, _):
    for number in range(5):
        writer.write(b"line %d\n" % number)
        assert await reader.readline() == b"LINE %d\n" % number
    writer.close()


async def ask_bulk(reader, writer, size):
    await asyncio.gather(send(writer, size), receive(reader, size))
    writer.write(b"done\n")
    assert await reader.readline() == b"DONE\n"
    writer.close()


async def ask_last_words(reader, writer, size):
    assert len(await reader.read()) == size
    writer.close()


# ---- the side that answers


async def answer_lines(reader, writer, _):
    async for line in reader:
        writer.write(line.upper())
        await writer.drain()


async def answer_bulk(reader, writer, size):
    await asyncio.gather(send(writer, size), receive(reader, size))
    await answer_lines(reader, writer, size)


async def answer_last_words(reader, writer, size):
    """Says all it has to say, and is the first to close."""
    writer.write(b"x" * size)


ASK = {"lines": ask_lines, "bulk": ask_bulk, "last-words": ask_last_words}
ANSWER = {"lines": answer_lines, "bulk": answer_bulk, "last-words": answer_last_words}


async def answer(reader, writer):
    if BEGIN != "ssl":
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go\n")
        await writer.drain()
        await writer.start_tls(context(True))
    name, size = (await reader.readline()).decode().split()
    await ANSWER[name](reader, writer, int(size))
    writer.close()


async def ask(kind, address, conversation):
    tls = {"ssl": context(False), "server_hostname": "localhost"} if BEGIN != "startTls" else {}
    reader, writer = await ends.connect(kind, address, **tls)
    if BEGIN != "ssl":
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go\n"
        await writer.start_tls(context(False), server_hostname="localhost")
    cipher = writer.get_extra_info("cipher")
    writer.write(conversation.encode() + b"\n")
    name, size = conversation.split()
    await ASK[name](reader, writer, int(size))
    await writer.wait_closed()
    print("ok", json.dumps(cipher), flush=True)


what, *rest = sys.argv[4:]
tls = {"ssl": context(True)} if BEGIN != "startTls" else {}
asyncio.run(ends.serve(answer, *rest, **tls) if what == "serve" else ask(*rest))

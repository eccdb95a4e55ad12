"""How a TLS connection of CPython's asyncio ends, told as JSON on standard output: for each role, and each way the peer may leave.

    endings.py CERTIFICATES

The peer has a bare socket and does its TLS in memory, so that it can leave without a word of TLS. CPython >= 3.11.
"""

import asyncio
import json
import socket
import ssl
import struct
import sys
import threading

FOLDER = sys.argv[1]
SHUTDOWN_TIMEOUT = 0.3


def context(server):
    if server:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(f"{FOLDER}/server.pem", f"{FOLDER}/server.key.pem")
        return made
    return ssl.create_default_context(cafile=f"{FOLDER}/ca.pem")


class Peer:
    """The other end: blocking, in a thread."""

    def __init__(self, sock, server):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server else "localhost"
        self.tls = context(server).wrap_bio(self.incoming, self.outgoing, server_side=server, server_hostname=name)
        self.step(self.tls.do_handshake)

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def step(self, call, *args):
        while True:
            try:
                result = call(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                if not data:
                    raise EOFError from None
                self.incoming.write(data)

    def write(self, data):
        self.step(self.tls.write, data)

    def greet(self):
        """Sends a line, and waits for the answer to it."""
        self.write(b"hello\n")
        assert self.step(self.tls.read, 3) == b"go\n"

    def notify(self):
        """Sends close_notify, and does not wait for the other's."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def wait_notify(self):
        """Reads up to the other's close_notify."""
        try:
            while self.step(self.tls.read, 65536):
                pass
        except ssl.SSLZeroReturnError:
            pass

    def linger(self):
        """Waits for the end of TCP."""
        try:
            while self.sock.recv(65536):
                pass
        except OSError:
            pass

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


# ---- how the peer leaves


def close_notify_then_end(peer):
    peer.greet()
    peer.notify()
    peer.sock.shutdown(socket.SHUT_WR)
    peer.linger()


def close_notify_only(peer):
    peer.greet()
    peer.notify()
    peer.linger()


def end_without_close_notify(peer):
    peer.greet()
    peer.sock.shutdown(socket.SHUT_WR)
    peer.linger()


def end_inside_a_record(peer):
    peer.greet()
    peer.tls.write(b"x" * 1000)
    peer.sock.sendall(peer.outgoing.read()[:500])
    peer.sock.shutdown(socket.SHUT_WR)
    peer.linger()


def reset(peer):
    peer.greet()
    peer.reset()


def answers_close_notify(peer):
    peer.greet()
    peer.wait_notify()
    peer.notify()
    peer.sock.shutdown(socket.SHUT_WR)
    peer.linger()


def ends_instead_of_answering(peer):
    peer.greet()
    peer.wait_notify()
    peer.sock.shutdown(socket.SHUT_WR)
    peer.linger()


def never_answers(peer):
    peer.greet()
    peer.linger()


def sends_on(peer):
    peer.greet()
    try:
        while True:
            peer.tls.write(b"x" * 16384)
            peer.flush()
    except OSError:
        pass


PEER_LEAVES = [close_notify_then_end, close_notify_only, end_without_close_notify, end_inside_a_record, reset]
WE_LEAVE = [answers_close_notify, ends_instead_of_answering, never_answers, sends_on]


async def outcome(awaitable):
    try:
        result = await awaitable
    except (OSError, asyncio.IncompleteReadError) as error:
        return type(error).__name__
    return result.decode() if isinstance(result, bytes) else "done"


async def transcript(reader, writer, peer_leaves):
    told = {"readline": await outcome(reader.readline())}
    writer.write(b"go\n")
    if peer_leaves:
        told["read"] = await outcome(reader.read())
        told["at_eof"] = reader.at_eof()
    writer.close()
    told["wait_closed"] = await outcome(writer.wait_closed())
    return told


def on_a_thread(listener_or_address, server, scenario):
    def run():
        if server:
            sock, _ = listener_or_address.accept()
        else:
            sock = socket.create_connection(listener_or_address)
        with sock:
            try:
                scenario(Peer(sock, server))
            except (OSError, EOFError) as error:
                print(scenario.__name__, repr(error), file=sys.stderr)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


async def as_client(scenario):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = on_a_thread(listener, True, scenario)
        reader, writer = await asyncio.open_connection(
            *listener.getsockname(), ssl=context(False), server_hostname="localhost", ssl_shutdown_timeout=SHUTDOWN_TIMEOUT
        )
        told = await transcript(reader, writer, scenario in PEER_LEAVES)
        await asyncio.to_thread(thread.join)
    return told


async def as_server(scenario):
    told = asyncio.get_running_loop().create_future()

    async def serve(reader, writer):
        told.set_result(await transcript(reader, writer, scenario in PEER_LEAVES))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context(True), ssl_shutdown_timeout=SHUTDOWN_TIMEOUT)
    thread = on_a_thread(server.sockets[0].getsockname(), False, scenario)
    await told
    await asyncio.to_thread(thread.join)
    server.close()
    return told.result()


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    told = {}
    for role, run in (("client", as_client), ("server", as_server)):
        told[role] = {scenario.__name__: await run(scenario) for scenario in PEER_LEAVES + WE_LEAVE}
    print(json.dumps(told, indent=1))


asyncio.run(main())

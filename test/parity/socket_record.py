"""Plays the scripts of socket_cases.py over real sockets, and records what each step gives. Run by record.py.

Paths and ports are replaced by words. An operating system's error is recorded by its code; those that say "the connection is gone" (and asyncio's own
ConnectionResetError from drain()) are recorded as one, since which of them comes depends on the moment.
"""

import asyncio
import contextlib
import errno
import pathlib
import tempfile

import transcript
from socket_cases import CASES
from transcript import show, to_bytes

TIME_LIMIT = 10


def show_error(error):
    if isinstance(error, ConnectionRefusedError):
        return {"error": "OSError", "code": "ECONNREFUSED"}
    if isinstance(error, ConnectionError):
        return {"error": "connection gone"}
    if isinstance(error, OSError):
        return {"error": "OSError", "code": errno.errorcode[error.errno]}
    return transcript.show_error(error)


class World:
    """A server, and the connections to it."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.path = f"{folder}/s"
        self.port = 0
        self.servers = []
        self.accepted = asyncio.Queue()
        self.ends = {}
        self.tasks = {}

    async def serve(self, options):
        def on_client(reader, writer):
            self.accepted.put_nowait((reader, writer))

        options = {"start_serving" if name == "startServing" else name: value for name, value in options.items()}
        if self.kind == "unix":
            server = await asyncio.start_unix_server(on_client, self.path, **options)
        else:
            server = await asyncio.start_server(on_client, "127.0.0.1", self.port, **options)
            self.port = server.sockets[0].getsockname()[1]
        self.servers.append(server)

    async def connect(self, client, peer, options):
        if self.kind == "unix":
            self.ends[client] = await asyncio.open_unix_connection(self.path, **options)
        else:
            self.ends[client] = await asyncio.open_connection("127.0.0.1", self.port, **options)
        self.ends[peer] = await self.accepted.get()

    def mask(self, address):
        """An address without what differs from run to run."""
        if isinstance(address, tuple):
            return [address[0], "<port>" if address[1] != 0 else 0, *address[2:]]
        return "<path>" if address == self.path else address

    async def on_server(self, method):
        server = self.servers[0]
        match method:
            case "close":
                return server.close()
            case "isServing":
                return {"value": server.is_serving()}
            case "sockets":
                return {"value": len(server.sockets)}
            case "address":
                return {"value": self.mask(server.sockets[0].getsockname())}
            case "startServing":
                return await server.start_serving()
            case "serveForever":
                return await server.serve_forever()
            case "waitClosed":
                return await server.wait_closed()
            case "closeClients":
                return server.close_clients()
            case "abortClients":
                return server.abort_clients()
        raise SystemExit(f"no such step of a server: {method}")

    async def on_end(self, name, method, *args):
        reader, writer = self.ends[name]
        transport = writer.transport
        match method:
            case "read":
                return {"bytes": show(await reader.read(*args))}
            case "readline":
                return {"bytes": show(await reader.readline())}
            case "readexactly":
                return {"bytes": show(await reader.readexactly(*args))}
            case "readuntil":
                return {"bytes": show(await reader.readuntil(args[0].encode("latin1")))}
            case "atEof":
                return {"value": reader.at_eof()}
            case "write":
                return writer.write(to_bytes(args[0]))
            case "writeValue":
                return writer.write(*args)
            case "writelines":
                return writer.writelines([to_bytes(data) for data in args[0]])
            case "writelinesValue":
                return writer.writelines(*args)
            case "writeEof":
                return writer.write_eof()
            case "canWriteEof":
                return {"value": writer.can_write_eof()}
            case "drain":
                return await writer.drain()
            case "close":
                return writer.close()
            case "waitClosed":
                return await writer.wait_closed()
            case "isClosing":
                return {"value": writer.is_closing()}
            case "abort":
                return transport.abort()
            case "pauseReading":
                return transport.pause_reading()
            case "resumeReading":
                return transport.resume_reading()
            case "isReading":
                return {"value": transport.is_reading()}
            case "setWriteBufferLimits":
                return transport.set_write_buffer_limits(**args[0])
            case "getWriteBufferLimits":
                return {"value": list(transport.get_write_buffer_limits())}
            case "bufferIsEmpty":
                return {"value": transport.get_write_buffer_size() == 0}
            case "getExtraInfo":
                return {"value": self.mask(writer.get_extra_info(*args))}
            case "family":
                return {"value": {"AF_UNIX": "unix", "AF_INET": "ipv4"}[writer.get_extra_info("socket").family.name]}
        raise SystemExit(f"no such step of a connection: {method}")

    async def call(self, name, *args):
        """Plays one step; returns what is recorded of it."""
        try:
            if name == "serve":
                return await self.serve(*args)
            if name == "serveAgain":
                return await self.serve({})
            if name == "connect":
                return await self.connect(*args)
            return await (self.on_server(*args) if name == "server" else self.on_end(name, *args))
        except (Exception, asyncio.CancelledError) as error:
            return show_error(error)

    def start(self, step):
        return asyncio.Task(self.call(*step), loop=asyncio.get_running_loop(), eager_start=True)

    async def wait(self, task, step):
        done, _ = await asyncio.wait([task], timeout=TIME_LIMIT)
        if not done:
            raise SystemExit(f"{step} still waits after {TIME_LIMIT} s")
        return task.result()

    async def step(self, do, *args):
        match do:
            case "start":
                self.tasks[args[0]] = self.start(args[1])
            case "await":
                return await self.wait(self.tasks[args[0]], [do, *args])
            case "cancel":
                self.tasks[args[0]].cancel()
                await asyncio.sleep(0)
            case "pending":
                await asyncio.sleep(0.05)
                return {"value": not self.tasks[args[0]].done()}
            case _:
                return await self.wait(self.start([do, *args]), [do, *args])

    async def end(self):
        for server in self.servers:
            server.close()
        for _, writer in self.ends.values():
            with contextlib.suppress(AttributeError):  # CPython 3.13 trips over the abort() of what is closed
                writer.transport.abort()
        for task in self.tasks.values():
            await self.wait(task, "the end")
        for server in self.servers:
            await server.wait_closed()


async def play_case(case):
    with tempfile.TemporaryDirectory() as folder:
        world = World(case["kind"], folder)
        steps = []
        for step in case["steps"]:
            try:
                gives = await world.step(*step)
            except SystemExit as error:
                raise SystemExit(f"{case['name']}: {error}") from None
            steps.append({"do": step} if gives is None else {"do": step, "gives": gives})
        await world.end()
        pathlib.Path(world.path).unlink(missing_ok=True)
    return {"name": case["name"], "kind": case["kind"], "steps": steps}


def record_sockets():
    return [asyncio.run(play_case(case)) for case in CASES]

"""Plays the scripts of reader_cases.py and socket_cases.py to CPython's own asyncio, and records what it does.

    python3 test/parity/record.py                    writes cases.json and sockets.json, beside this file
    python3 test/parity/record.py --stdout reader    prints what would be in cases.json
    python3 test/parity/record.py --stdout sockets   prints what would be in sockets.json

Needs CPython 3.13 or newer. The files are committed, and the tests hold our streams against them. Never edit them by hand: a test records them again and
compares, wherever a new enough Python is found.

What a reader's case records, beside what each step gives:

    remains   the bytes that are left in the buffer at the end; null where an exception or the end of the connection hides them
    atEof     at_eof() at the end
    pausing   how the calls to the transport (`transport` of each step) can be compared. "calls": one by one. "state": a waiting read was fed more than
              twice the limit. asyncio then pauses the transport and resumes it a turn later, when the read has run; our reader does not pause at all while
              a read waits. The calls differ, and the data does not. What can be compared is the state at the end, and only where it is determined: with
              more than twice the limit in the buffer the transport is paused, with the limit or less it is not, and in between it depends on the way there.
    paused    the state at the end

A read is started as a task that runs at once up to where it waits (`eager_start`), which is what awaiting it does. "A turn" is `asyncio.sleep(0)`.
"""

import asyncio
import json
import pathlib
import platform
import sys

sys.dont_write_bytecode = True

from fake_transport import FakeTransport  # noqa: E402
from reader_cases import CASES  # noqa: E402
from transcript import Given, show, show_error, to_bytes  # noqa: E402

FOLDER = pathlib.Path(__file__).parent


class Player:
    """Plays one case."""

    def __init__(self, name, limit):
        self.name = name
        self.loop = asyncio.get_running_loop()
        self.limit = limit
        self.transport = FakeTransport()
        self.reader = asyncio.StreamReader(limit=limit, loop=self.loop)
        self.protocol = asyncio.StreamReaderProtocol(self.reader, loop=self.loop)
        self.protocol.connection_made(self.transport)
        self.writer = asyncio.StreamWriter(self.transport, self.protocol, self.reader, self.loop)
        self.tasks = {}
        self.fed = 0
        self.taken = 0
        self.by_calls = True
        self.lost = False

    def feed(self, data, feed_data):
        feed_data(data)
        self.fed += len(data)
        if any(not task.done() for task in self.tasks.values()) and len(self.reader._buffer) > 2 * self.limit:
            self.by_calls = False

    async def call(self, method, *args):
        """Calls a method; returns what is recorded of it."""
        try:
            if method == "readline":
                try:
                    data = await self.reader.readline()
                except ValueError:
                    dropped = self.fed - self.taken - len(self.reader._buffer)
                    self.taken += dropped
                    return {"error": "ValueError", "dropped": dropped}
            elif method == "read":
                data = await self.reader.read(*args)
            elif method == "readexactly":
                data = await self.reader.readexactly(*args)
            elif method == "readuntil":
                (separator,) = args
                data = await self.reader.readuntil(
                    separator.encode("latin1") if isinstance(separator, str) else tuple(one.encode("latin1") for one in separator)
                )
            elif method == "drain":
                await self.writer.drain()
                return None
            elif method == "waitClosed":
                await self.writer.wait_closed()
                return None
            else:
                raise SystemExit(f"no such call: {method}")
        except (Exception, asyncio.CancelledError) as error:
            self.taken += len(getattr(error, "partial", b""))
            return show_error(error)
        self.taken += len(data)
        return {"bytes": show(data)}

    async def wait(self, task):
        done, _ = await asyncio.wait([task], timeout=5)
        if not done:
            raise SystemExit(f"{self.name}: still waits after 5 s: {task}")
        return task.result()

    async def lines(self, most):
        lines = []
        while most is None or len(lines) < most:
            line = await self.call("readline")
            if "error" in line:
                return {"lines": lines, **line}
            if line["bytes"] == "":
                break
            lines.append(line["bytes"])
        return {"lines": lines}

    def start(self, call):
        return asyncio.Task(self.call(*call), loop=self.loop, eager_start=True)

    async def step(self, do, *args):
        match do:
            case "feed":
                return self.feed(to_bytes(args[0]), self.reader.feed_data)
            case "dataReceived":
                return self.feed(to_bytes(args[0]), self.protocol.data_received)
            case "feedEof":
                return self.reader.feed_eof()
            case "setException":
                return self.reader.set_exception(Given(args[0]))
            case "setTransport":
                return self.reader.set_transport(FakeTransport())
            case "exception":
                error = self.reader.exception()
                return {"value": error and error.args[0]}
            case "atEof":
                return {"value": self.reader.at_eof()}
            case "lines":
                return await self.lines(*args)
            case "start":
                self.tasks[args[0]] = self.start(args[1])
            case "await":
                return await self.wait(self.tasks[args[0]])
            case "settled":
                await asyncio.sleep(0)
                return {"value": self.tasks[args[0]].done()}
            case "cancel":
                self.tasks[args[0]].cancel()
                await asyncio.sleep(0)
            case "turn":
                await asyncio.sleep(0)
            case "eofReceived":
                return {"value": self.protocol.eof_received()}
            case "connectionLost":
                self.lost = True
                return self.protocol.connection_lost(None if args[0] is None else Given(args[0]))
            case "pauseWriting":
                return self.protocol.pause_writing()
            case "resumeWriting":
                return self.protocol.resume_writing()
            case _:
                return await self.wait(self.start([do, *args]))

    async def play(self, steps):
        for step in steps:
            before = len(self.transport.calls)
            try:
                gives = await self.step(*step)
            except (AssertionError, ValueError, RuntimeError) as error:
                gives = show_error(error)
            played = {"do": step}
            if gives is not None:
                played["gives"] = gives
            if self.transport.calls[before:]:
                played["transport"] = self.transport.calls[before:]
            yield played

    def end(self):
        hidden = self.lost or self.reader.exception() is not None
        waiting = [name for name, task in self.tasks.items() if not task.done()]
        assert hidden or not waiting, f"{waiting} still wait"
        for task in self.tasks.values():
            task.cancel()
        self.transport.closing = True
        return {
            "remains": None if hidden else show(bytes(self.reader._buffer)),
            "atEof": self.reader.at_eof(),
            "pausing": "calls" if self.by_calls else "state",
            "paused": self.transport.paused,
        }


async def play_case(case):
    try:
        player = Player(case["name"], case["limit"])
    except ValueError as error:
        return {"name": case["name"], "limit": case["limit"], "gives": show_error(error)}
    steps = [step async for step in player.play(case["steps"])]
    return {"name": case["name"], "limit": case["limit"], "steps": steps, **player.end()}


def record_reader():
    names = [case["name"] for case in CASES]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return [asyncio.run(play_case(case)) for case in CASES]


def as_text(cases):
    """JSON with a case a line, so that a change shows as one."""
    head = json.dumps({"python": platform.python_version(), "recordedBy": "test/parity/record.py"})[:-1]
    return head + ', "cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n"


def main(args):
    if sys.version_info < (3, 13) or platform.python_implementation() != "CPython":
        raise SystemExit("CPython 3.13 or newer is needed")
    from socket_record import record_sockets

    recorders = {"reader": record_reader, "sockets": record_sockets}
    if args[:1] == ["--stdout"] and args[1:] and args[1] in recorders:
        sys.stdout.write(as_text(recorders[args[1]]()))
    elif not args:
        (FOLDER / "cases.json").write_text(as_text(record_reader()))
        (FOLDER / "sockets.json").write_text(as_text(record_sockets()))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])

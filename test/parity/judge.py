"""Plays scripts of reader operations to CPython's own `asyncio.StreamReader`: a script a line comes in as JSON, a transcript a line goes out.

What the operations are is told in `scripts.ts`, which makes them; `script-player.ts` plays them to our reader and writes the same transcript.

A reading call is a coroutine, and is driven here by hand rather than by a task: it runs until it waits for a future, goes on when that is done, and has
CancelledError thrown into it at its future, which is all that a task does for it. So a script needs no turn of an event loop, ten thousand of them take
seconds, and every CPython from 3.11 on will do. (Several separators need 3.13. Nothing else in the reader has changed since.)

The transcript has, for each step, `[gives, ended, left, at_eof, exception, paused]`:

    gives       what the step gave: null, "waits", an outcome, or {"skipped": why}
    ended       the outcome of the read that waited, if it ended in this step
    left        the bytes that were fed and have neither been returned nor dropped
    at_eof      at_eof(); null while a waiting read(-1) holds bytes of which at_eof() does not know
    exception   the message of exception()
    paused      whether the transport is paused; null where our reader differs on purpose

A step is skipped where the two differ on purpose: divergences.ts has a hand-written case for each.
"""

import asyncio
import json
import sys

sys.dont_write_bytecode = True

from fake_transport import FakeTransport  # noqa: E402
from transcript import Given, show, show_error, to_bytes  # noqa: E402

LOOP = asyncio.new_event_loop()

# The calls that read lines.
LINES = ("readline", "next", "readlines")


class Judge:
    """Plays one script."""

    def __init__(self, limit):
        self.limit = limit
        self.transport = FakeTransport()
        self.reader = asyncio.StreamReader(limit=limit, loop=LOOP)
        self.reader.set_transport(self.transport)
        self.left = bytearray()
        self.call = None
        self.coroutine = None
        self.future = None
        self.lost = False
        # Whether the pausing went another way than ours; until both have to be in the same state again.
        self.astray = False

    @property
    def buffer(self):
        return self.reader._buffer

    @property
    def waits(self):
        return self.coroutine is not None

    @property
    def gathers(self):
        """Whether a waiting read(-1) has bytes in a variable of its own, outside the buffer."""
        return self.waits and self.is_to_eof(self.call) and len(self.left) > len(self.buffer)

    @staticmethod
    def is_to_eof(call):
        return call[0] == "read" and call[1] < 0

    # ---- reading calls

    def make(self, call):
        method, *args = call
        if method == "readlines":
            return self.readlines()
        if method == "next":
            method = "readline"
        if method == "readuntil":
            (separator,) = args
            args = [separator.encode("latin1") if isinstance(separator, str) else tuple(one.encode("latin1") for one in separator)]
        return getattr(self.reader, method)(*args)

    async def readlines(self):
        """What a batch of lines has, in terms of `readline()`. A line over the limit is left to the next call."""
        lines = await self.reader.readline()
        while 0 <= self.buffer.find(b"\n") <= self.limit:
            lines += await self.reader.readline()
        return lines

    def run(self, call, coroutine, throw=None):
        """Runs a call to where it waits or ends. Returns its future, or its outcome."""
        paused = self.transport.paused
        try:
            return (coroutine.send(None) if throw is None else coroutine.throw(throw)), None
        except StopIteration as end:
            data = end.value
            assert self.left.startswith(data)
            del self.left[: len(data)]
            return None, {"bytes": show(data)}
        except (Exception, asyncio.CancelledError) as error:
            outcome = show_error(error)
            if isinstance(error, asyncio.IncompleteReadError):
                del self.left[: len(error.partial)]
                # CPython does not resume the transport then.
                self.astray |= paused
            elif isinstance(error, ValueError) and call[0] in LINES:
                outcome["dropped"] = len(self.left) - len(self.buffer)
                del self.left[: outcome["dropped"]]
            return None, outcome

    def settle(self):
        """Lets the read that waits go on if it can. Returns its outcome if it ends."""
        while self.waits and self.future.done():
            future, outcome = self.run(self.call, self.coroutine)
            if future is None:
                self.coroutine = None
                return outcome
            self.future = future
        return None

    # ---- the steps

    def play(self, do, *args):
        """Returns what the step gives, and the outcome of the read that waited."""
        match do:
            case "feed" | "feedEof" | "connectionLost" if self.lost:
                return {"skipped": "nothing comes after the loss"}, None
            case "feed":
                data = to_bytes(args[0])
                try:
                    self.reader.feed_data(data)
                except AssertionError as error:
                    return show_error(error), None
                self.left += data
                self.astray |= self.waits and len(self.buffer) > 2 * self.limit
                return None, None
            case "feedEof":
                self.reader.feed_eof()
                return None, None
            case "turn":
                return None, self.settle()
            case "setException":
                ended = self.settle()
                if self.gathers:
                    return {"skipped": "it would lose what a read(-1) has gathered"}, ended
                self.reader.set_exception(Given(args[0]))
                return None, ended or self.settle()
            case "connectionLost":
                ended = self.settle()
                if self.left or self.reader._eof:
                    return {"skipped": "what came before the loss could not be read"}, ended
                if self.reader.exception() is not None:
                    return {"skipped": "a loss does not replace an exception"}, ended
                self.lost = True
                self.reader.set_exception(Given(args[0]))
                return None, ended or self.settle()
            case "cancel":
                return self.cancel()
            case "expire":
                ended = self.settle()
                return (None, ended) if ended else self.cancel()
            case "call":
                return self.start(args)
        raise SystemExit(f"no such step: {do}")

    def cancel(self):
        if not self.waits:
            return None, None
        if self.gathers:
            return {"skipped": "it would lose what a read(-1) has gathered"}, self.settle()
        # As Task.cancel() does it: by way of the future, or where that is done already, at the next step.
        throw = None if self.future.cancel() else asyncio.CancelledError()
        future, outcome = self.run(self.call, self.coroutine, throw)
        assert future is None
        self.coroutine = None
        self.astray |= len(self.buffer) > 2 * self.limit
        return None, outcome

    def start(self, call):
        ended = self.settle()
        if self.lost and call[-1] == 0:
            return {"skipped": "what needs nothing more is given after a loss"}, ended
        if self.waits and self.buffer:
            if self.call[0] in (*LINES, "readuntil"):
                return {"skipped": "a read under a search that waits misleads it"}, ended
            if self.is_to_eof(call):
                return {"skipped": "a read(-1) that is refused loses what it has gathered"}, ended
        coroutine = self.make(call)
        future, outcome = self.run(call, coroutine)
        if future is None:
            return outcome, ended
        self.call, self.coroutine, self.future = call, coroutine, future
        return "waits", ended

    # ---- the fields

    def state(self):
        reader = self.reader
        if not self.gathers:
            assert self.left == self.buffer
        error = reader.exception()
        return [
            show(bytes(self.left)),
            None if self.gathers else reader.at_eof(),
            error and error.args[0],
            self.paused(),
        ]

    def paused(self):
        paused = self.transport.paused
        size = len(self.buffer)
        if not self.waits and (size > 2 * self.limit if paused else size <= self.limit):
            self.astray = False
        # A waiting read is let go on before this is looked at again.
        return None if self.astray or self.waits and self.future.done() else paused

    def end(self):
        if self.waits:
            self.coroutine.close()


def judge(script):
    player = Judge(script["limit"])
    steps = []
    for step in script["steps"]:
        gives, ended = player.play(*step)
        steps.append([gives, ended, *player.state()])
    player.end()
    return steps


for line in sys.stdin:
    sys.stdout.write(json.dumps(judge(json.loads(line))) + "\n")

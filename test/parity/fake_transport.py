"""A transport without a socket, which notes what the reader tells it."""

import asyncio


class FakeTransport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.paused = False
        self.closing = False

    def pause_reading(self):
        self.calls.append("pauseReading")
        self.paused = True

    def resume_reading(self):
        self.calls.append("resumeReading")
        self.paused = False

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

"""How bytes stand in a script, and how results and errors are written down; the twin of `transcript.ts`."""

import asyncio
import hashlib


class Given(Exception):
    """The exception that the scripts set."""


def to_bytes(data):
    """Bytes of a script: latin-1 text, or pieces of it, each as it is or repeated."""
    pieces = [data] if isinstance(data, str) else data
    return b"".join((piece if isinstance(piece, str) else piece[0] * piece[1]).encode("latin1") for piece in pieces)


def show(data):
    """Bytes as JSON: short ones as they are, long ones by length and hash."""
    if len(data) <= 300:
        return data.decode("latin1")
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def show_error(error):
    shown = {"error": type(error).__name__}
    if isinstance(error, asyncio.IncompleteReadError):
        shown |= {"partial": show(error.partial), "expected": error.expected}
    elif isinstance(error, asyncio.LimitOverrunError):
        shown |= {"consumed": error.consumed}
    elif isinstance(error, Given):
        shown |= {"message": error.args[0]}
    return shown

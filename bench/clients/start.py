"""Imports asyncio, or uvloop as well, and prints the CPU seconds of the process: start.py import asyncio|uvloop"""

import sys
import time

import asyncio  # noqa: F401

if sys.argv[2] == "uvloop":
    import uvloop  # noqa: F401
print(time.process_time())

"""Connects to a path again and again, as another user where it may, until its input ends; tells each outcome
when it is first met, and in the end how often it has met each: "in", or why not."""

import errno
import json
import os
import socket
import sys
import threading

NOBODY = 65534

path = sys.argv[1]
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
results = {}
print(json.dumps("connecting"))
while not stop.is_set():
    with socket.socket(socket.AF_UNIX) as client:
        code = client.connect_ex(path)
    outcome = "in" if code == 0 else errno.errorcode[code]
    if outcome not in results:
        print(json.dumps(outcome))
    results[outcome] = results.get(outcome, 0) + 1
print(json.dumps(results))

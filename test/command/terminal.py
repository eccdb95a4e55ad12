"""Runs a command on a terminal of its own: `terminal.py [0=FILE] [1=FILE] [2=FILE] -- COMMAND...`.

The terminal is the command's standard input, output and error, except for the descriptors that are redirected to a file. What is written to
this script's input is typed, and what the terminal shows is this script's output. It exits as the command does.
"""

import os
import pty
import select
import sys

separator = sys.argv.index("--")
redirections = dict(one.split("=", 1) for one in sys.argv[1:separator])
command = sys.argv[separator + 1 :]

pid, terminal = pty.fork()
if pid == 0:
    for fd, path in redirections.items():
        flags = os.O_RDONLY if fd == "0" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(path, flags), int(fd))
    os.execvp(command[0], command)

watched = [terminal, 0]
while terminal in watched:
    for fd in select.select(watched, [], [])[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:  # EIO: the command has ended
            data = b""
        if data == b"":
            watched.remove(fd)
        elif fd == terminal:
            os.write(1, data)
        else:
            os.write(terminal, data)

status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))

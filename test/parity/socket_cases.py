"""The scripts that socket_record.py plays over real sockets, each over Unix sockets and over TCP unless it says otherwise.

    ["serve", options] ["serveAgain"]       starts the server; starts another one at its address
    ["connect", client, peer, options]      connects, and gives both ends a name. Options here and above: limit, startServing.
    ["server", method] [client or peer, method, arguments]
    ["start", id, step] ["await", id] ["cancel", id]
    ["pending", id]                         lets some time pass; it must still wait then

Left out is what only trips CPython 3.13 up, with an error of its inside: startServing() and writelines() after close, abort() after the end.
"""

CASES = []
BOTH = ("unix", "tcp")
SERVE = ["serve", {}]
CONNECT = ["connect", "c", "p", {}]
CLOSE = ["server", "close"]
MIB = 1 << 20


def case(name, *steps, kinds=BOTH):
    for kind in kinds:
        CASES.append({"name": f"{kind}: {name}", "kind": kind, "steps": [list(step) for step in steps]})


def start(step, name="s"):
    return ["start", name, step]


def wait(name="s"):
    return ["await", name]


def pending(name="s"):
    return ["pending", name]


# ---- servers

case("a server serves, and is closed", SERVE, ["server", "isServing"], ["server", "sockets"], CLOSE, ["server", "isServing"], ["server", "sockets"], CLOSE)
case("a server that does not serve yet", ["serve", {"startServing": False}], ["server", "isServing"], ["server", "sockets"])
case("startServing twice", ["serve", {"startServing": False}], ["server", "startServing"], ["server", "startServing"], ["server", "isServing"], CONNECT)
case("startServing while it serves", SERVE, ["server", "startServing"], ["server", "isServing"], CONNECT)
case("serveForever after close", SERVE, CLOSE, ["server", "serveForever"])
case("serveForever twice", SERVE, start(["server", "serveForever"]), ["server", "serveForever"], pending(), ["server", "isServing"], ["cancel", "s"], wait(), ["server", "isServing"])
case("serveForever starts to serve", ["serve", {"startServing": False}], start(["server", "serveForever"]), pending(), ["server", "isServing"], CONNECT)
case("serveForever and close", SERVE, start(["server", "serveForever"]), pending(), CLOSE, wait())
case("serveForever again after it was cancelled", SERVE, start(["server", "serveForever"]), pending(), ["cancel", "s"], wait(), ["server", "serveForever"])
case("serveForever cancelled while there is a client", SERVE, CONNECT, start(["server", "serveForever"]), pending(), ["cancel", "s"], pending())
case("waitClosed before close", SERVE, start(["server", "waitClosed"]), pending(), CLOSE, wait())
case("waitClosed after close without clients", SERVE, CLOSE, ["server", "waitClosed"], ["server", "waitClosed"])
case(
    "waitClosed waits for the last client",
    SERVE, CONNECT, ["connect", "c2", "p2", {}], start(["server", "waitClosed"]), CLOSE, pending(), ["p", "close"], ["p", "waitClosed"], pending(), ["p2", "close"], wait(),
)  # fmt: skip
case("waitClosed waits for a client that has only ended its side", SERVE, CONNECT, CLOSE, ["c", "close"], ["p", "read", -1], start(["server", "waitClosed"]), pending(), ["p", "close"], wait())
case("several wait for a server", SERVE, start(["server", "waitClosed"], "a"), start(["server", "waitClosed"], "b"), pending("a"), CLOSE, wait("b"), wait("a"))
case("close leaves the clients", SERVE, CONNECT, CLOSE, ["c", "write", "ab\n"], ["p", "readline"], ["p", "write", "cd\n"], ["c", "readline"])
case("closeClients ends the clients", SERVE, CONNECT, ["server", "closeClients"], ["p", "isClosing"], ["c", "read", -1], ["p", "waitClosed"], ["server", "isServing"])
case("closeClients sends first what was written", SERVE, CONNECT, ["p", "write", ["x", ["y", MIB]]], ["server", "closeClients"], ["c", "read", -1], ["p", "waitClosed"])
case("closeClients without clients", SERVE, ["server", "closeClients"], ["server", "isServing"])
case("closeClients twice, then waitClosed", SERVE, CONNECT, CLOSE, ["server", "closeClients"], ["server", "closeClients"], ["server", "waitClosed"], ["c", "read", -1])
case("abortClients ends the clients", SERVE, CONNECT, ["server", "abortClients"], ["p", "isClosing"], ["c", "read", -1], ["p", "waitClosed"], ["server", "isServing"])
case("abortClients without clients, and after close", SERVE, ["server", "abortClients"], CLOSE, ["server", "abortClients"], ["server", "closeClients"])
case("abortClients, then waitClosed", SERVE, CONNECT, CLOSE, ["server", "abortClients"], ["server", "waitClosed"], ["c", "read", -1])
case("a new client after closeClients", SERVE, CONNECT, ["server", "closeClients"], ["p", "waitClosed"], ["connect", "c2", "p2", {}], ["c2", "write", "x\n"], ["p2", "readline"])
case("connecting after close", SERVE, CLOSE, ["server", "waitClosed"], CONNECT)
case("a second server at the address of the first", SERVE, ["serveAgain"])
case("the limit of a server's readers", ["serve", {"limit": 4}], CONNECT, ["c", "write", "abcde\nfghi\n"], ["p", "readline"], ["p", "readline"])
case("the limit of a client's reader", SERVE, ["connect", "c", "p", {"limit": 4}], ["p", "write", "abcde;fghi;"], ["c", "readexactly", 0], ["c", "readuntil", ";"], ["c", "readexactly", 6], ["c", "readuntil", ";"])
case("a limit out of range, connecting", SERVE, ["connect", "c", "p", {"limit": 0}])

# ---- closing a connection

case("isClosing", SERVE, CONNECT, ["c", "isClosing"], ["c", "close"], ["c", "isClosing"], ["c", "close"], ["c", "waitClosed"], ["c", "isClosing"])
case("waitClosed before close waits", SERVE, CONNECT, start(["c", "waitClosed"]), pending(), ["c", "close"], wait(), ["c", "waitClosed"])
case("a cancelled waitClosed leaves the connection", SERVE, CONNECT, start(["c", "waitClosed"]), pending(), ["cancel", "s"], wait(), ["c", "write", "a\n"], ["p", "readline"])
case("drain after close", SERVE, CONNECT, ["c", "close"], ["c", "drain"])
case("drain after waitClosed", SERVE, CONNECT, ["c", "close"], ["c", "waitClosed"], ["c", "drain"], ["c", "drain"])
case("write after close is silent", SERVE, CONNECT, ["c", "close"], ["c", "write", "a"], ["c", "waitClosed"], ["c", "write", "a"], ["p", "read", -1])
case("close sends first what was written", SERVE, CONNECT, ["c", "write", ["x", ["y", MIB], "z"]], ["c", "close"], ["p", "read", -1], ["c", "waitClosed"])
case("a read that waits ends with close", SERVE, CONNECT, start(["c", "readline"]), pending(), ["c", "close"], wait(), ["c", "waitClosed"], ["c", "read", 5], ["c", "atEof"])
case("readexactly that waits fails with close", SERVE, CONNECT, start(["c", "readexactly", 4]), pending(), ["c", "close"], wait())
case("buffered data is there after close", SERVE, CONNECT, ["p", "write", "ab\ncd\n"], ["c", "readline"], ["c", "close"], ["c", "waitClosed"], ["c", "readline"], ["c", "readline"])
case("writeEof after close", SERVE, CONNECT, ["c", "close"], ["c", "writeEof"], ["c", "canWriteEof"], ["c", "waitClosed"], ["c", "writeEof"])
case("abort", SERVE, CONNECT, ["c", "abort"], ["c", "isClosing"], ["c", "waitClosed"], ["c", "drain"], ["p", "read", -1], ["c", "close"])
case("abort after close", SERVE, CONNECT, ["c", "close"], ["c", "abort"], ["c", "waitClosed"], ["p", "read", -1])
case("waitClosed after a reset", SERVE, CONNECT, ["p", "pauseReading"], ["c", "write", [["x", 8 * MIB]]], start(["c", "waitClosed"]), pending(), ["p", "abort"], wait(), ["c", "waitClosed"], ["c", "drain"], ["c", "read", 1])
case("drain waits, and the peer resets", SERVE, CONNECT, ["p", "pauseReading"], ["c", "write", [["x", 8 * MIB]]], start(["c", "drain"]), pending(), ["p", "abort"], wait(), ["c", "drain"])
case("drain waits, and we abort", SERVE, CONNECT, ["p", "pauseReading"], ["c", "write", [["x", 8 * MIB]]], start(["c", "drain"]), pending(), ["c", "abort"], wait(), ["c", "drain"])
case("a write to a peer that has gone", SERVE, CONNECT, ["p", "close"], ["c", "read", -1], ["c", "write", "x"], ["c", "waitClosed"], ["c", "drain"], kinds=("unix",))

# ---- EOF

case("canWriteEof", SERVE, CONNECT, ["c", "canWriteEof"], ["p", "canWriteEof"], ["c", "writeEof"], ["c", "canWriteEof"])
case("half-close: the answer comes after our EOF", SERVE, CONNECT, ["c", "write", "question"], ["c", "writeEof"], ["p", "read", -1], ["p", "atEof"], ["p", "isClosing"], ["p", "write", "answer"], ["p", "close"], ["c", "read", -1])
case("the peer's EOF leaves our writing side open", SERVE, CONNECT, ["p", "writeEof"], ["c", "read", -1], ["c", "isClosing"], ["c", "write", "a\n"], ["c", "drain"], ["p", "readline"])
case("EOF both ways closes nothing", SERVE, CONNECT, ["c", "writeEof"], ["p", "read", -1], ["p", "writeEof"], ["c", "read", -1], start(["c", "waitClosed"]), pending(), ["c", "isClosing"], ["c", "drain"], ["c", "close"], wait())
case("write after writeEof", SERVE, CONNECT, ["c", "writeEof"], ["c", "write", "a"], ["c", "write", ""], ["c", "writelines", ["a"]], ["c", "isClosing"], ["p", "read", -1])
case("writelines of nothing after writeEof", SERVE, CONNECT, ["c", "writeEof"], ["c", "writelines", []])
case("write after writeEof and close", SERVE, CONNECT, ["c", "writeEof"], ["c", "close"], ["c", "write", "a"], ["c", "waitClosed"], ["c", "write", "a"])
case("writeEof twice", SERVE, CONNECT, ["c", "write", "a"], ["c", "writeEof"], ["c", "writeEof"], ["p", "read", -1], ["c", "drain"])
case("writeEof after much", SERVE, CONNECT, ["c", "write", [["x", MIB]]], ["c", "writeEof"], ["p", "read", -1], ["p", "write", "ok\n"], ["c", "readline"])
case("incomplete reads over a socket", SERVE, CONNECT, ["c", "write", "abc"], ["c", "writeEof"], ["p", "readexactly", 5], ["p", "readexactly", 1], ["p", "readuntil", ";"])

# ---- writing

case("pieces are joined", SERVE, CONNECT, ["c", "write", "a"], ["c", "write", ""], ["c", "writelines", ["b", "", "c\n"]], ["p", "readline"])
for value in (5, None, True, 1.5, {}):
    case(f"write of {value!r}", SERVE, CONNECT, ["c", "writeValue", value], ["c", "isClosing"], ["c", "write", "a\n"], ["p", "readline"])
case("writelines of a wrong type", SERVE, CONNECT, ["c", "writelinesValue", 5], ["c", "writelinesValue", [5]], ["c", "isClosing"])
case("write of a wrong type after writeEof and after close", SERVE, CONNECT, ["c", "writeEof"], ["c", "writeValue", 5], ["c", "close"], ["c", "writeValue", 5], ["c", "waitClosed"], ["c", "writeValue", 5])
case(
    "drain waits for a peer that does not read",
    SERVE, CONNECT, ["p", "pauseReading"], ["c", "write", [["x", 8 * MIB]]], ["c", "bufferIsEmpty"], start(["c", "drain"]), pending(),
    ["p", "resumeReading"], ["p", "readexactly", 8 * MIB], wait(), ["c", "close"], ["c", "waitClosed"],
)  # fmt: skip
case(
    "drain with the marks set to 0",
    SERVE, CONNECT, ["c", "setWriteBufferLimits", {"high": 0}], ["c", "write", "a"], ["c", "drain"], ["p", "pauseReading"], ["c", "write", [["x", 8 * MIB]]],
    start(["c", "drain"]), pending(), ["p", "resumeReading"], ["p", "readexactly", 8 * MIB + 1], wait(), ["c", "bufferIsEmpty"],
)  # fmt: skip
case(
    "raising the marks above what is buffered leaves drain waiting",
    SERVE, CONNECT, ["p", "pauseReading"], ["c", "write", [["x", 8 * MIB]]], start(["c", "drain"]), pending(),
    ["c", "setWriteBufferLimits", {"high": 64 * MIB}], pending(), ["p", "resumeReading"], ["p", "readexactly", 8 * MIB], wait(),
)  # fmt: skip

# ---- water marks

MARKS = [None, 0, 1, 2, 3, 4, 5, 7, 8, 100, 16384, 65536, 65537, -1]
for high in MARKS:
    steps = []
    for low in MARKS:
        limits = {name: value for name, value in (("high", high), ("low", low)) if value is not None}
        steps += [["c", "setWriteBufferLimits", limits], ["c", "getWriteBufferLimits"]]
    case(f"marks with high {high} and every low", SERVE, CONNECT, ["c", "getWriteBufferLimits"], *steps, kinds=("unix",))
case("marks of both ends at first", SERVE, CONNECT, ["c", "getWriteBufferLimits"], ["p", "getWriteBufferLimits"], ["c", "bufferIsEmpty"])
case("marks after close", SERVE, CONNECT, ["c", "close"], ["c", "setWriteBufferLimits", {"high": 8}], ["c", "getWriteBufferLimits"], ["c", "waitClosed"], ["c", "getWriteBufferLimits"])

# ---- reading

case("pauseReading and resumeReading", SERVE, CONNECT, ["c", "isReading"], ["c", "pauseReading"], ["c", "isReading"], ["c", "pauseReading"], ["c", "resumeReading"], ["c", "isReading"], ["c", "resumeReading"])
case("isReading after close", SERVE, CONNECT, ["c", "close"], ["c", "isReading"], ["c", "pauseReading"], ["c", "resumeReading"], ["c", "waitClosed"], ["c", "isReading"])
case("a paused transport that is closed", SERVE, CONNECT, ["c", "pauseReading"], ["c", "close"], ["c", "waitClosed"], ["p", "read", -1])
case("data sent while reading is paused comes after it", SERVE, CONNECT, ["c", "pauseReading"], ["p", "write", "a\n"], start(["c", "readline"]), ["c", "resumeReading"], wait())

# ---- extra info

INFO = ["sockname", "peername", "sslcontext", "ssl_object", "cipher", "nothing"]
for end in ("c", "p"):
    case(f"getExtraInfo of {end}", SERVE, CONNECT, *[[end, "getExtraInfo", name] for name in INFO], [end, "getExtraInfo", "nothing", 7], [end, "getExtraInfo", "sockname", 7], [end, "family"])
case("addresses are still known after close", SERVE, CONNECT, ["c", "close"], ["c", "waitClosed"], ["c", "getExtraInfo", "sockname"], ["c", "getExtraInfo", "peername"])
case("the address of a server's socket", SERVE, ["server", "address"])
case("the address of a server's socket before it serves", ["serve", {"startServing": False}], ["server", "address"])

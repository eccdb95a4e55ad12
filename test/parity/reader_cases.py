"""The scripts that record.py plays to asyncio's StreamReader, StreamWriter and StreamReaderProtocol.

A case is a name, the reader's limit and a list of steps. A step is a list: what to do, then its arguments, all JSON. Bytes are a string of
latin-1, or a list of pieces, each a string or [string, times].

    ["feed", data] ["feedEof"] ["setException", message] ["setTransport"] ["exception"] ["atEof"]
    ["read", n] ["readline"] ["readexactly", n] ["readuntil", separator or list of separators]      called and awaited
    ["start", id, call]     calls one of these, or ["drain"] or ["waitClosed"], and runs it up to where it waits, without waiting for it
    ["await", id]           waits for what was started
    ["settled", id]         lets the loop turn once, then tells whether it has ended
    ["cancel", id]          cancels it, and lets the loop turn once
    ["turn"]                lets the loop turn once
    ["lines", most]         iterates over lines, at most so many (null: to the end)
    ["dataReceived", data] ["eofReceived"] ["connectionLost", message or null] ["pauseWriting"] ["resumeWriting"]     of the protocol
"""

from random_cases import random_cases

CASES = []


def case(name, limit, *steps):
    CASES.append({"name": name, "limit": limit, "steps": [list(step) for step in steps]})


FEED_EOF = ["feedEof"]
AT_EOF = ["atEof"]
READLINE = ["readline"]
TURN = ["turn"]


def feed(data):
    return ["feed", data]


def read(n=-1):
    return ["read", n]


def exactly(n):
    return ["readexactly", n]


def until(separator):
    return ["readuntil", separator]


def start(call, name="r"):
    return ["start", name, call]


def wait(name="r"):
    return ["await", name]


def settled(name="r"):
    return ["settled", name]


# ---- the constructor

for limit in (1, 0, -1, 65536):
    case(f"a limit of {limit}", limit, AT_EOF)

# ---- read

case("read(n) returns what is there", 8, feed("abc"), read(10))
case("read(n) returns at most n and leaves the rest", 8, feed("abcdef"), read(2), read(3), read(9))
case("read(n) joins several feeds", 8, feed("ab"), feed("cd"), feed("ef"), read(5), read(5))
case("read(0) returns nothing at once, without data", 8, read(0))
case("read(0) returns nothing at once, with data", 8, feed("a"), read(0), read(1))
case("read(0) returns nothing at EOF", 8, FEED_EOF, read(0), AT_EOF)
case("read(0) answers while another read waits", 8, start(read(5)), read(0), feed("a"), wait())
case("read(0) throws the exception", 8, ["setException", "e"], read(0))
case("read(n) at EOF returns nothing, again and again", 8, FEED_EOF, read(1), read(1), AT_EOF)
case("read(n) with data and EOF returns the data first", 8, feed("abc"), FEED_EOF, AT_EOF, read(2), AT_EOF, read(2), AT_EOF, read(2))
case("read(n) ignores the limit", 2, feed(["x", ["y", 20]]), read(15), read(15))
case("read(n) waits for the first byte", 8, start(read(5)), settled(), feed("a"), settled(), wait())
case("a waiting read(n) gets all that one turn brings", 8, start(read(5)), feed("a"), feed("b"), feed("c"), wait())
case("a waiting read(n) leaves what is over n", 8, start(read(2)), feed("abc"), wait(), read(9))
case("a waiting read(n) ends with EOF", 8, start(read(2)), FEED_EOF, wait(), AT_EOF)
case("a waiting read(n) gets data with EOF in one turn", 8, start(read(2)), feed("abc"), FEED_EOF, wait(), read(2), read(2))
case("read(-1) returns everything up to EOF", 8, feed("abc"), FEED_EOF, read())
case("read(-1) waits for EOF", 8, feed("abc"), start(read()), settled(), feed("def"), settled(), FEED_EOF, wait(), AT_EOF)
case("read(-1) at EOF without data returns nothing", 8, FEED_EOF, read(), read())
case("read(-1) ignores the limit", 3, feed([["x", 50]]), FEED_EOF, read())
case("read(-1) collects over many turns", 3, start(read()), feed("abcd"), TURN, feed("efgh"), TURN, feed("i"), TURN, FEED_EOF, wait())
case("any negative n reads to EOF", 8, feed("abc"), FEED_EOF, read(-7))
case("read(-1) after a line returns the rest", 8, feed("a\nbc\nd"), FEED_EOF, READLINE, read())
case("read(n) takes every byte value as it is", 300, feed("".join(map(chr, range(256)))), read(256))
case("a feed of nothing wakes nobody", 8, start(read(5)), feed(""), settled(), feed("a"), wait())
case("a large read(n)", 65536, feed([["abcdefg", 30000]]), read(200000), read(200000))

# ---- readline

case("readline returns a line with its newline", 8, feed("ab\ncd\n"), READLINE, READLINE)
case("readline returns an empty line", 8, feed("\n\nx"), READLINE, READLINE, read(1))
case("readline returns the partial last line at EOF", 8, feed("ab\ncd"), FEED_EOF, READLINE, READLINE, READLINE, AT_EOF)
case("readline at EOF returns nothing", 8, FEED_EOF, READLINE)
case("readline leaves a carriage return in", 8, feed("ab\r\n"), READLINE)
case("readline waits for its newline", 8, start(READLINE), feed("ab"), settled(), feed("cd"), settled(), feed("\nef"), wait(), read(9))
case("a waiting readline ends with EOF", 8, start(READLINE), feed("ab"), settled(), FEED_EOF, wait())
case("a waiting readline that has nothing ends with EOF", 8, start(READLINE), FEED_EOF, wait())
case("a waiting readline gets data with EOF in one turn", 8, start(READLINE), feed("ab\nc"), FEED_EOF, wait(), READLINE)
case("a line exactly at the limit passes", 4, feed("abcd\n"), READLINE)
case("a line one over the limit is dropped through its newline", 4, feed("abcde\nxy\n"), READLINE, READLINE)
case("a line over the limit without newline drops the whole buffer", 4, feed("abcde"), READLINE, feed("fg\n"), READLINE)
case("a line at the limit without newline waits", 4, feed("abcd"), start(READLINE), settled(), feed("\n"), wait())
case("a waiting readline fails once the limit is passed", 4, start(READLINE), feed("abcd"), settled(), feed("e"), settled(), wait())
case("feeds of one turn are judged together: the newline is seen", 4, start(READLINE), feed("abcde"), feed("fg\nhi\n"), wait(), READLINE)
case("feeds of two turns: the newline comes too late", 4, start(READLINE), feed("abcde"), TURN, feed("fg\nhi\n"), wait(), READLINE, READLINE)
case("a partial last line over the limit fails at EOF, too", 4, feed("abcdefg"), FEED_EOF, READLINE, AT_EOF, READLINE)
case("a partial last line at the limit passes at EOF", 4, feed("abcd"), FEED_EOF, READLINE, AT_EOF)
case("several long lines are dropped one by one", 2, feed("abcd\nef\nghij\nk\n"), READLINE, READLINE, READLINE, READLINE)
case("a short line in front of a long buffer passes", 4, feed(["ab\n", ["x", 40]]), READLINE, READLINE)
case("a limit of one", 1, feed("a\nbc\n\nd\n"), READLINE, READLINE, READLINE, READLINE)
case("the default limit: 64 KiB pass", 65536, feed([["x", 65536], "\n"]), READLINE)
case("the default limit: one more does not", 65536, feed([["x", 65537], "\nrest\n"]), READLINE, READLINE)

# ---- readexactly

case("readexactly returns exactly n", 8, feed("abcdef"), exactly(2), exactly(4))
case("readexactly(0) returns nothing, without data", 8, exactly(0))
case("readexactly(0) returns nothing at EOF", 8, FEED_EOF, exactly(0))
case("readexactly(0) answers while another read waits", 8, start(exactly(5)), exactly(0), feed("abcde"), wait())
case("readexactly(0) throws the exception", 8, ["setException", "e"], exactly(0))
case("readexactly(-1) is refused", 8, feed("abc"), exactly(-1), read(9))
case("readexactly(-1) is refused even with an exception set", 8, ["setException", "e"], exactly(-1))
case("readexactly waits for the last byte", 8, start(exactly(4)), feed("ab"), settled(), feed("c"), settled(), feed("de"), wait(), read(9))
case("readexactly ignores the limit", 2, start(exactly(30)), feed([["x", 29]]), settled(), feed("yz"), wait(), read(9))
case("readexactly at EOF gives what there was", 8, feed("abc"), FEED_EOF, exactly(5), AT_EOF, exactly(1))
case("readexactly at EOF without data", 8, FEED_EOF, exactly(5))
case("a waiting readexactly ends with EOF", 8, start(exactly(5)), feed("ab"), TURN, FEED_EOF, wait(), AT_EOF)
case("readexactly with data and EOF in one turn", 8, start(exactly(3)), feed("abcd"), FEED_EOF, wait(), exactly(2), read(1))
case("readexactly of all that is left before EOF", 8, feed("abc"), FEED_EOF, exactly(3), AT_EOF)

# ---- readuntil, one separator

case("readuntil returns through the separator", 8, feed("ab;cd;e"), until(";"), until(";"), read(9))
case("readuntil without argument would be a newline", 8, feed("ab\ncd"), until("\n"))
case("a separator of several bytes", 20, feed("ab\r\n\r\ncd"), until("\r\n\r\n"), read(9))
case("a separator split over feeds", 20, start(until("END")), feed("abE"), settled(), feed("N"), settled(), feed("Dx"), wait(), read(9))
case("a separator fed byte by byte", 20, start(until("\r\n\r\n")), *[s for c in "a\r\r\n\r\nb" for s in (feed(c), TURN)], wait(), read(9))
case("a separator split over feeds of one turn", 20, start(until("END")), feed("abE"), feed("N"), feed("Dx"), wait(), read(9))
case("a false start of the separator", 20, feed("aaabb"), until("aab"), read(9))
case("a separator that overlaps itself", 20, feed("aaaa"), until("aa"), until("aa"))
case("data that is only the separator", 20, feed("--"), until("--"))
case("an empty separator is refused", 8, feed("a"), until(""), read(9))
case("an empty separator is refused even with an exception set", 8, ["setException", "e"], until(""))
case("a separator of NUL", 8, feed("ab\0cd"), until("\0"), read(9))
case("a separator of high bytes", 8, feed("a\xff\xfe\xffb"), until("\xfe\xff"), read(9))
case("readuntil at EOF gives what there was", 8, feed("abc"), FEED_EOF, until(";"), AT_EOF)
case("readuntil at EOF with half a separator", 8, feed("ab\r"), FEED_EOF, until("\r\n"), AT_EOF)
case("readuntil at EOF without data", 8, FEED_EOF, until(";"))
case("a waiting readuntil ends with EOF", 8, start(until(";")), feed("ab"), TURN, FEED_EOF, wait(), AT_EOF)
case("readuntil with the separator and EOF in one turn", 8, start(until(";")), feed("ab;c"), FEED_EOF, wait(), until(";"))
case("readuntil at the limit passes", 4, feed("abcd;"), until(";"))
case("readuntil one over the limit keeps the data", 4, feed("abcde;x"), until(";"), until(";"), read(5), until(";"))
case("readuntil over the limit without a separator", 4, feed("abcde"), until(";"), feed(";"), until(";"), exactly(5), until(";"))
case("readuntil at the limit without a separator waits", 4, feed("abcd"), start(until(";")), settled(), feed(";"), wait())
case("a waiting readuntil fails once the limit is passed", 4, start(until(";")), feed("abcd"), settled(), feed("e"), wait(), read(9))
case("readuntil over the limit at EOF", 4, feed("abcdefg"), FEED_EOF, until(";"), read(9))
for extra in range(0, 6):
    data = "x" * (4 + extra)
    case(f"a separator of three bytes, limit 4, {4 + extra} bytes without it", 4, feed(data), start(until("END")), settled(), feed("END"), wait())
for tail in ("E", "EN", "END"):
    for size in (3, 4, 5):
        case(f"{size} bytes and {tail!r}, limit 4", 4, feed("x" * size + tail), start(until("END")), settled(), FEED_EOF, wait())
case("skipping consumed bytes finds the separator afterwards", 4, feed("abcdefghEN"), until("END"), exactly(8), start(until("END")), feed("D!"), wait())
case("a large message within the limit", 300000, feed([["x", 200000], "\r\n"]), until("\r\n"))
case("a large message over the limit", 100000, feed([["x", 200000], "\r\n"]), until("\r\n"), exactly(200000), until("\r\n"))

# ---- readuntil, several separators

case("the separator that ends first wins", 20, feed("ab\ncd;e"), until([";", "\n"]), until([";", "\n"]))
case("separators that end together: all the same bytes", 20, feed("ab\r\ncd\nef"), until(["\r\n", "\n"]), until(["\n", "\r\n"]))
case("a tie counts as the shortest for the limit", 3, feed("ab\r\ncd"), until(["\r\n", "\n"]))
case("a tie over the limit by the shortest", 2, feed("ab\r\ncd"), until(["\r\n", "\n"]), read(9))
case("a tie over the limit whatever the order", 2, feed("ab\r\ncd"), until(["\n", "\r\n"]), read(9))
case("a longer separator that begins first but ends later loses", 20, feed("xabcdy"), until(["abcd", "c"]), read(9))
case("a longer separator that ends first wins", 20, feed("xabcdcy"), until(["bc", "cd"]), read(9))
case("one element in a list", 20, feed("a;b"), until([";"]))
case("an empty list is refused", 20, feed("a"), until([]), read(9))
case("an empty element is refused", 20, feed("a"), until([";", ""]), read(9))
case("the same separator twice", 20, feed("a;b"), until([";", ";"]), read(9))
case("separators split over feeds", 20, start(until(["END", "\n"])), feed("abE"), settled(), feed("N"), settled(), feed("D\n"), wait(), read(9))
case("a short separator behind half of a long one", 20, start(until(["LONGONE", ";"])), feed("abLONG"), settled(), feed(";x"), wait(), read(9))
case("several separators at EOF", 20, feed("abEN"), FEED_EOF, until(["END", ";"]))
for size in range(4, 11):
    case(f"separators of one and four bytes, limit 4, {size} bytes", 4, feed("x" * size), start(until(["STOP", ";"])), settled(), feed(";y"), wait())
case("several separators fed byte by byte over the limit", 4, start(until(["--+", "|"])), *[s for c in "abcdef-|" for s in (feed(c), TURN)], wait())
case("a long message with rare separators", 5000, feed([["ab", 1000], "\r", ["cd", 600], "\r\n", "tail\n"]), until(["\r\n", "\n"]), until(["\r\n", "\n"]))
case("separators around a boundary of 256 bytes", 2000, feed([["x", 255], "\r\ny", ["z", 252], "ENDw"]), until(["END", "\r\n"]), until(["END", "\r\n"]), read(9))

# ---- EOF and feeding

case("atEof in every state", 8, AT_EOF, feed("a"), AT_EOF, FEED_EOF, AT_EOF, read(1), AT_EOF)
case("atEof while a read waits", 8, start(read(2)), AT_EOF, FEED_EOF, AT_EOF, wait(), AT_EOF)
case("a feed after EOF is refused", 8, FEED_EOF, feed("a"), read())
case("a feed of nothing after EOF is refused, too", 8, FEED_EOF, feed(""))
case("a second EOF changes nothing", 8, feed("a"), FEED_EOF, FEED_EOF, read(), AT_EOF)
case("every kind of read at EOF", 8, FEED_EOF, read(), read(3), READLINE, exactly(0), exactly(1), until(";"), ["lines", None])

# ---- exceptions

case("an exception is kept and told", 8, ["exception"], ["setException", "first"], ["exception"])
case("every read throws the exception", 8, ["setException", "e"], read(), read(1), READLINE, exactly(1), until(";"), ["lines", None], read(1))
case("an exception acts at once, even with data", 8, feed("abc\n"), ["setException", "e"], READLINE, read(1))
case("an exception acts at once, even at EOF", 8, feed("a"), FEED_EOF, ["setException", "e"], read(1), AT_EOF)
case("a waiting read gets the exception", 8, start(READLINE), feed("ab"), settled(), ["setException", "e"], wait())
case("a waiting read(-1) gets the exception", 8, start(read()), feed("ab"), TURN, ["setException", "e"], wait())
case("the last exception counts", 8, ["setException", "first"], ["setException", "second"], ["exception"], read(1))
case("data that completes a read before the exception of the same turn", 8, start(READLINE), feed("ab\n"), ["setException", "e"], wait(), READLINE)
case("data that does not complete a read before the exception of the same turn", 8, start(READLINE), feed("ab"), ["setException", "e"], settled())

# ---- one waiting read at a time

for call in (read(), read(3), READLINE, exactly(3), until(";")):
    what = f"{call[0]}({call[1] if len(call) > 1 else ''})"
    case(f"a second read is refused while {what} waits", 8, start(call), read(1), READLINE, exactly(2), until(";"), read(), settled(), feed(";\nx"), FEED_EOF, wait())
case("a second read is refused while read(-1) has gathered data", 8, start(read()), feed("abc"), TURN, read(1), READLINE, FEED_EOF, wait())
case("a second read may take what a waiting readexactly does not have yet", 8, start(exactly(5)), feed("abc"), TURN, read(2), feed("defg"), settled(), wait())
case("a second read may take a line while readexactly waits", 8, start(exactly(5)), feed("a\nb"), TURN, READLINE, feed("cdef"), wait())
case("a read during a waiting readuntil moves the data under its search", 8, start(until(";")), feed("abc"), TURN, read(2), feed(";"), settled(), feed("xy;"), wait())
case("a read during a waiting readline that empties the buffer", 8, start(READLINE), feed("abc"), TURN, read(9), feed("d\n"), settled(), feed("ef\n"), wait())
case("a read(-1) that is refused while readexactly waits", 8, start(exactly(5)), feed("abc"), TURN, read(), feed("defgh"), wait())
case("reads one after another in one turn", 8, feed("abcdef"), start(read(2), "a"), start(read(2), "b"), start(read(2), "c"), wait("c"), wait("a"), wait("b"))
case("the next read may wait as soon as the first has ended", 8, start(read(2), "a"), feed("ab"), wait("a"), start(read(2), "b"), feed("cd"), wait("b"))
case("a read that was refused takes nothing", 8, start(READLINE), start(exactly(3), "b"), wait("b"), feed("abc\n"), wait())
case("a read during which EOF came in the same turn as a second read", 8, start(exactly(4)), FEED_EOF, read(1), wait())

# ---- cancelling

for call in (read(3), READLINE, exactly(5), until(";")):
    what = f"{call[0]}({call[1] if len(call) > 1 else ''})"
    case(f"{what} cancelled loses nothing", 8, start(call), TURN, ["cancel", "r"], wait(), feed("ab"), read(9))
for call in (READLINE, exactly(5), until(";")):
    what = f"{call[0]}({call[1] if len(call) > 1 else ''})"
    case(f"{what} cancelled with part of its data", 8, start(call), feed("ab"), TURN, ["cancel", "r"], wait(), feed("cd"), read(9))
case("cancelled in the turn that brought the data", 8, start(READLINE), feed("ab\n"), ["cancel", "r"], wait(), READLINE)
case("read(-1) cancelled before there is data", 8, start(read()), TURN, ["cancel", "r"], wait(), feed("a"), read(9))
case("read(-1) cancelled after it has gathered data", 8, start(read()), feed("ab"), TURN, ["cancel", "r"], wait(), feed("c"), FEED_EOF, read())
case("after a cancelled read another may wait", 8, start(READLINE, "a"), ["cancel", "a"], start(READLINE, "b"), feed("x\n"), wait("b"), wait("a"))

case("a cancelled read that had more than twice the limit", 4, feed([["x", 9]]), start(exactly(12)), ["cancel", "r"], wait(), read(1))

# ---- a call between the data and the turn in which the waiting read sees it

case("a second read before a waiting read(-1) has seen its data", 8, start(read()), feed("abc"), read(1), FEED_EOF, wait())
case("a second read before a waiting readline has seen its data", 8, start(READLINE), feed("ab\ncd"), read(1), wait(), read(9))
case("atEof before a waiting read(-1) has seen the EOF", 8, start(read()), feed("abc"), TURN, FEED_EOF, AT_EOF, wait(), AT_EOF)
case("atEof before a waiting readline has seen the EOF", 8, start(READLINE), feed("abc"), TURN, FEED_EOF, AT_EOF, wait(), AT_EOF)

# ---- iterating

case("iterating gives the lines and the partial last one", 8, feed("a\nb\n\nc"), FEED_EOF, ["lines", None], AT_EOF)
case("iterating ends at an empty stream", 8, FEED_EOF, ["lines", None])
case("an empty line does not end the iteration", 8, feed("\n\n\n"), FEED_EOF, ["lines", None])
case("leaving the loop leaves the rest", 8, feed("a\nb\nc\n"), ["lines", 2], read(9))
case("a line over the limit ends the loop, and another may go on", 3, feed("a\nbcdefg\nh\n"), FEED_EOF, ["lines", None], ["lines", None])

# ---- pausing the transport

case("the transport is paused at more than twice the limit", 4, feed([["x", 8]]), feed("y"))
case("the transport is paused once", 4, feed([["x", 9]]), feed("yyy"), feed("zzz"))
case("the transport is resumed at the limit", 4, feed([["x", 9]]), read(4), read(1), read(9))
case("the transport is paused again", 2, feed("abcde"), read(5), feed("fghij"), read(5))
case("a read that waits resumes the transport", 4, feed([["x", 9]]), start(exactly(12)), TURN, feed("yyy"), wait())
case("a waiting read resumes the transport again and again", 2, start(exactly(20)), feed([["x", 9]]), TURN, feed([["x", 9]]), TURN, feed("yy"), wait())
case("a read of more than twice the limit", 2, start(exactly(100)), *[s for _ in range(10) for s in (feed([["x", 10]]), TURN)], wait())
case("read(-1) keeps the transport going", 2, feed([["x", 9]]), start(read()), TURN, feed([["y", 9]]), TURN, FEED_EOF, wait())
case("a dropped line resumes the transport", 2, feed(["xxxxxxx\n"]), READLINE)
case("a dropped buffer resumes the transport", 2, feed("xxxxxxx"), READLINE)
case("an overrun that keeps the data keeps the pause", 2, feed("xxxxxxx;"), until(";"), exactly(7), until(";"))
case("lines out of a paused reader", 3, feed("a\nb\nc\nd\n"), READLINE, READLINE, READLINE, READLINE)
case("a feed over twice the limit to a waiting read that takes it all", 2, start(exactly(9)), feed([["x", 9]]), wait())
case("a feed over twice the limit to a waiting read that takes little", 2, start(read(1)), feed([["x", 9]]), wait(), read(1))
case("a feed over twice the limit to a waiting read that leaves just twice the limit", 2, start(read(1)), feed([["x", 5]]), wait())
case("a read that fails at EOF with a paused transport", 2, feed([["x", 9]]), FEED_EOF, exactly(20))
case("a partial line over twice the limit at EOF", 2, feed([["x", 9]]), FEED_EOF, READLINE)
case("a second transport is refused", 8, ["setTransport"])

# ---- the protocol and the writer, on a transport without a socket

case("the protocol feeds the reader", 8, ["dataReceived", "ab\n"], READLINE, ["eofReceived"], AT_EOF, READLINE)
case("the end of a connection ends the reader", 8, ["dataReceived", "ab"], ["connectionLost", None], READLINE, AT_EOF)
case("a lost connection fails the waiting read", 8, start(READLINE), ["connectionLost", "lost"], wait(), ["exception"])
case("a lost connection with buffered data", 8, ["dataReceived", "ab\ncd"], ["connectionLost", "lost"], READLINE, READLINE)
case("a read of nothing from a lost connection", 8, ["connectionLost", "lost"], read(0))
case("an end before the connection is lost", 8, FEED_EOF, ["connectionLost", "lost"], READLINE)
case("a connection that is lost after an exception", 8, ["setException", "e"], ["connectionLost", "lost"], ["exception"])
case("drain does not wait while writing is not paused", 8, start(["drain"]), settled(), wait())
case("drain waits while writing is paused", 8, ["pauseWriting"], start(["drain"]), settled(), ["resumeWriting"], wait())
case("several callers wait in drain", 8, ["pauseWriting"], start(["drain"], "a"), start(["drain"], "b"), settled("a"), ["resumeWriting"], wait("b"), wait("a"))
case("a cancelled drain leaves the others", 8, ["pauseWriting"], start(["drain"], "a"), start(["drain"], "b"), ["cancel", "a"], ["resumeWriting"], wait("b"), wait("a"))
case("drain after the connection has ended", 8, ["connectionLost", None], start(["drain"]), wait())
case("drain after the connection was lost", 8, ["connectionLost", "lost"], start(["drain"]), wait())
case("drain while the connection ends", 8, ["pauseWriting"], start(["drain"]), ["connectionLost", None], wait())
case("drain while the connection is lost", 8, ["pauseWriting"], start(["drain"]), ["connectionLost", "lost"], wait())
case("drain throws the reader's exception", 8, ["setException", "e"], start(["drain"]), wait())
case("drain with EOF from the peer does not mind", 8, ["eofReceived"], start(["drain"]), wait())
case("waitClosed waits for the end", 8, start(["waitClosed"]), settled(), ["connectionLost", None], wait())
case("waitClosed after the end", 8, ["connectionLost", None], start(["waitClosed"]), wait())
case("waitClosed of a lost connection throws", 8, start(["waitClosed"]), settled(), ["connectionLost", "lost"], wait())
case("waitClosed throws again and again", 8, ["connectionLost", "lost"], start(["waitClosed"], "a"), start(["waitClosed"], "b"), wait("a"), wait("b"))

CASES.extend(random_cases(80))

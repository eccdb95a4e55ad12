"""An editor: language_client.py <command ...> starts a language server, talks to it by Content-Length messages, and prints the answers."""

import asyncio
import json
import sys


async def main() -> None:
    server = await asyncio.create_subprocess_exec(*sys.argv[1:], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    last_id = 0

    def encode(message: dict, headers: str = "") -> bytes:
        body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
        return f"{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def receive() -> dict:
        header = await server.stdout.readuntil(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in header.decode("ascii").strip().split("\r\n"))
        return json.loads(await server.stdout.readexactly(int(fields["Content-Length"])))

    def request(text: str, method: str = "countWords", headers: str = "") -> bytes:
        nonlocal last_id
        last_id += 1
        return encode({"id": last_id, "method": method, "params": {"text": text}}, headers)

    async def ask(*requests: bytes) -> None:
        server.stdin.write(b"".join(requests))
        for _ in requests:
            answer = await receive()
            print(answer["id"], answer.get("result", answer.get("error", {}).get("code")))

    await ask(request("three short words"))
    await ask(request("drei kürzere Wörter", headers="Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"))
    await ask(request("word " * 20_000 + "end"))
    await ask(request("one", "translate"))
    await ask(*[request("two words") for _ in range(200)])
    for byte in request("byte by byte"):
        server.stdin.write(bytes([byte]))
        await server.stdin.drain()
    print((await receive())["result"])
    server.stdin.write(encode({"method": "initialized"}) + encode({"method": "exit"}))  # neither is answered
    print(await server.stdout.read(), await server.wait())


asyncio.run(main())

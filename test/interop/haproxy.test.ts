/** HAProxy: its stats socket with the client of `examples/haproxy.ts`, and in front of our back end. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe } from "node:test";
import { openUnixConnection, startUnixServer } from "asyncio-streams";
import { ask, converse, showInfo, showStat } from "../../examples/haproxy.js";
import { serveHttp } from "../../examples/http-backend.js";
import { HttpClient } from "../../examples/http-client.js";
import { exampleOutput } from "./example.js";
import { program } from "./program.js";

describe("HAProxy", () => {
  const haproxy = program({
    name: "haproxy",
    package: "haproxy",
    prepare({ directory, socket }) {
      writeFileSync(
        join(directory, "haproxy.cfg"),
        `global
  stats socket ${socket} mode 600 level admin
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend front
  bind unix@${directory}/front.sock
  default_backend back
backend back
  server one unix@${directory}/one.sock
  server two unix@${directory}/two.sock
`,
      );
    },
    args: () => ["-db", "-f", "haproxy.cfg"],
  });
  const { it } = haproxy;
  const front = (): string => join(haproxy.directory, "front.sock");

  before(async () => {
    for (const name of ["one", "two"]) {
      const server = await startUnixServer(serveHttp, join(haproxy.directory, `${name}.sock`));
      haproxy.atEnd(() => server.shutdown());
    }
  });

  /** What `show stat` says of a server. */
  async function stat(name: string): Promise<Map<string, string>> {
    return (await showStat(haproxy.socket)).find((row) => row.get("svname") === name) as Map<string, string>;
  }

  it("answers a command, and the end of the connection is the end of the answer", async () => {
    const info = await showInfo(haproxy.socket);
    assert.equal(info.get("Name"), "HAProxy");
    assert.equal(info.get("Pid"), `${haproxy.pid}`);
  });

  it("answers a client that has ended its side", async () => {
    const [reader, writer] = await openUnixConnection(haproxy.socket);
    writer.write("show info\n");
    writer.writeEof();
    assert.match(String(await reader.read()), /^Name: HAProxy\n[^]*\n\n$/);
    writer.close();
    await writer.waitClosed();
  });

  it("answers several commands on one line, and many after a prompt", async () => {
    const both = await ask(haproxy.socket, "show version; show backend");
    assert.match(both, /^2\.\d+\.\d+|^\d+\.\d+/);
    assert.match(both, /# name\nback$/);
    const answers: string[] = [];
    for await (const answer of converse(haproxy.socket, Array(200).fill("show backend") as string[])) answers.push(answer);
    assert.deepEqual(new Set(answers), new Set(["# name\nback"]));
    assert.equal(answers.length, 200);
  });

  it("answers an unknown command with an error", async () => {
    assert.match(await ask(haproxy.socket, "sing"), /^Unknown command/);
  });

  it("counts what went to our back ends", async () => {
    const client = await HttpClient.connect(front());
    for (let number = 0; number < 20; number += 1) {
      const { status, body } = await client.request("GET", "/count?to=1000");
      assert.equal(status, 200);
      let bytes = 0;
      for await (const piece of body) bytes += piece.length;
      assert.equal(bytes, 3893);
    }
    await client.close();
    assert.equal((await stat("one")).get("stot"), "10");
    assert.equal((await stat("two")).get("stot"), "10");
  });

  it("takes a server out of service, and puts it back", async () => {
    assert.equal(await ask(haproxy.socket, "disable server back/one"), "");
    assert.equal((await stat("one")).get("status"), "MAINT");
    const client = await HttpClient.connect(front());
    for (let number = 0; number < 4; number += 1) assert.equal((await client.request("GET", "/")).status, 200);
    await client.close();
    assert.equal((await stat("one")).get("stot"), "10");
    assert.equal((await stat("two")).get("stot"), "14");
    assert.equal(await ask(haproxy.socket, "enable server back/one"), "");
    assert.equal((await stat("one")).get("status"), "no check");
  });

  it("answers the example as its header says", () => {
    const [version, ...rows] = exampleOutput("haproxy.js", [haproxy.socket]);
    assert.match(version ?? "", /^HAProxy \d+\.\d+\S*, up \d+d \dh/);
    assert.equal(rows.length, 5);
    assert.match(rows[1] ?? "", /^back\/one: no check, \d+ sessions, \d+ bytes out$/);
    const answers = exampleOutput("haproxy.js", [haproxy.socket, "show backend", "sing"]);
    assert.deepEqual(answers.slice(0, 2), ["# name", "back"]);
    assert.match(answers[2] ?? "", /^Unknown command/);
  });
});

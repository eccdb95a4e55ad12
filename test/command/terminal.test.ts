/** The command on a real terminal: keys, colours, and the progress of long transfers. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openUnixConnection, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { findPython } from "../support/python.js";
import { testFile } from "../support/repository.js";
import { socketPath, temporaryDirectory } from "../support/temporary.js";
import { commandLine, plainEnvironment, Running, visible } from "./running.js";

const python = findPython(9);

/** Ctrl-C and Ctrl-D, as a keyboard sends them. */
const CTRL_C = "\x03";
const CTRL_D = "\x04";

function onTerminal(args: readonly string[], redirections: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Running {
  const words = [python.binary, testFile("command/terminal.py"), ...redirections, "--", ...commandLine(...args)];
  return new Running(words, { env: plainEnvironment({ TERM: "xterm", ...env }) });
}

const shout = async (reader: StreamReader, writer: StreamWriter): Promise<void> => {
  for await (const line of reader) {
    writer.write(`<${String(line).trim().toUpperCase()}>\n`);
    await writer.drain();
  }
  writer.write("goodbye\n");
  writer.close();
};

describe("connect on a terminal", python, () => {
  it("is a conversation, and ends with Ctrl-D", async () => {
    const path = socketPath();
    const server = await startUnixServer(shout, path);
    await using command = onTerminal(["connect", path]);
    command.send("hello\n");
    await command.until("stdout", /<HELLO>\r\n/);
    command.send(CTRL_D);
    const { code, stdout } = await command.ended;
    assert.equal(code, 0);
    assert.match(String(stdout), /goodbye\r\n$/);
    await server.shutdown();
  });

  it("ends at once when the server ends", async () => {
    const path = socketPath();
    const server = await startUnixServer(async (reader, writer) => {
      await reader.readline(); // Bun: cannot connect to a server that ends at once
      writer.write("goodbye\n");
      writer.close();
    }, path);
    await using command = onTerminal(["connect", path]);
    command.send("go\n");
    const { code, stdout } = await command.ended;
    assert.deepEqual([code, String(stdout)], [0, "go\r\ngoodbye\r\n"]);
    await server.shutdown();
  });

  it("ends with 130 at Ctrl-C", async () => {
    const path = socketPath();
    const server = await startUnixServer(shout, path);
    await using command = onTerminal(["connect", path]);
    command.send("hello\n");
    await command.until("stdout", /<HELLO>/);
    command.send(CTRL_C);
    assert.equal((await command.ended).code, 130);
    await server.shutdown();
  });

  it("shows the progress of a long transfer, and removes it at the end", async () => {
    const path = socketPath();
    const directory = temporaryDirectory();
    let isSeen = false;
    const server = await startUnixServer(async (reader, writer) => {
      await reader.read();
      for (; !isSeen; await new Promise((resolve) => setTimeout(resolve, 50))) writer.write(Buffer.alloc(100_000));
      writer.close();
    }, path);
    const [input, output] = [join(directory, "input"), join(directory, "output")];
    writeFileSync(input, Buffer.alloc(3 * 2 ** 20));
    await using command = onTerminal(["connect", path], [`0=${input}`, `1=${output}`]);
    await command.until("stdout", /\r␛\[K3\.0 MiB sent, \d+\.\d (?:Ki|Mi)B received, \S+ \S+\/s, 0:0\d\r␛\[K/);
    isSeen = true;
    const { code, stdout } = await command.ended;
    assert.equal(code, 0);
    assert.match(visible(stdout), /\r␛\[K$/);
    assert.ok(statSync(output).size > 100_000);
    await server.shutdown();
  });

  it("shows no progress with --quiet", async () => {
    const path = socketPath();
    const output = join(temporaryDirectory(), "output");
    const server = await startUnixServer(async (reader, writer) => {
      await reader.read();
      await new Promise((resolve) => setTimeout(resolve, 1_300));
      writer.close();
    }, path);
    await using command = onTerminal(["connect", "--quiet", path], ["0=/dev/null", `1=${output}`]);
    const { code, stdout } = await command.ended;
    assert.deepEqual([code, String(stdout)], [0, ""]);
    await server.shutdown();
  });
});

describe("serve on a terminal", python, () => {
  it("does not let Ctrl-C reach its commands, which may finish", async () => {
    const path = socketPath();
    await using command = onTerminal(["serve", path, "--", "sh", "-c", "echo ready; cat; echo finished"]);
    await command.until("stdout", /listening on/);
    const [reader, writer] = await openUnixConnection(path);
    assert.equal(String(await reader.readline()), "ready\n");
    command.send(CTRL_C);
    assert.equal(String(await reader.read()), "finished\n");
    writer.close();
    assert.equal((await command.ended).code, 0);
  });
});

describe("tap on a terminal", python, () => {
  for (const [env, isColoured] of [
    [{}, true],
    [{ NO_COLOR: "1" }, false],
    [{ NO_COLOR: "" }, true],
    [{ TERM: "dumb" }, false],
  ] as const) {
    it(`has colours${isColoured ? "" : ", but not"} with ${JSON.stringify(env)}`, async () => {
      const [path, target] = [socketPath(), socketPath()];
      const server = await startUnixServer(shout, target);
      await using command = onTerminal(["tap", path, target], [], env);
      await command.until("stdout", /leads to/);
      const [reader, writer] = await openUnixConnection(path);
      writer.write("hello\n");
      await reader.readline();
      writer.close();
      await writer.waitClosed();
      await command.until("stdout", /#1 closed/);
      command.send(CTRL_C);
      const { code, stdout } = await command.ended;
      assert.equal(code, 0);
      assert.equal(String(stdout).includes("\x1b[36m> 6 bytes\x1b[0m\r\n"), isColoured);
      assert.match(String(stdout), /hello\\n/);
      await server.shutdown();
    });
  }

  it("gives a path back at Ctrl-C", async () => {
    const path = socketPath();
    const server = await startUnixServer(shout, path);
    const { ino } = statSync(path);
    await using command = onTerminal(["tap", "--in-place", path]);
    await command.until("stdout", /is tapped/);
    command.send(CTRL_C);
    const { code, stdout } = await command.ended;
    assert.equal(code, 0);
    assert.match(String(stdout), /is given back to its server\r\n$/);
    assert.equal(statSync(path).ino, ino);
    await server.shutdown();
  });
});

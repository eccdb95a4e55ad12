/** nginx in front of servers with `proxyProtocol`, and behind clients with `sendProxyHeader`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe } from "node:test";
import { openTo } from "../support/addresses.js";
import { freePort } from "../support/bare-sockets.js";
import { ask, BackEnds, disturbUnderLoad } from "./balanced.js";
import { program } from "./program.js";

/** Debian: the package libnginx-mod-stream. */
const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

describe("nginx and the PROXY protocol", () => {
  let port: number;
  const nginx = program({
    name: "nginx",
    package: "nginx",
    // The program is asked here whether it has started: behind the others, no server has.
    socket: "accepting.sock",
    async prepare({ directory, socket }) {
      port = await freePort();
      if (!existsSync(STREAM_MODULE)) throw new Error("nginx has no stream module: Debian package libnginx-mod-stream");
      mkdirSync(join(directory, "temporary"));
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((name) => `${name}_temp_path temporary/${name};`)
        .join(" ");
      writeFileSync(
        join(directory, "nginx.conf"),
        `daemon off;
load_module ${STREAM_MODULE};
${process.getuid?.() === 0 ? "user root root;" : ""}
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1000; }
stream {
  upstream back { server unix:${directory}/one.sock fail_timeout=1s; server unix:${directory}/two.sock fail_timeout=1s; }
  server { listen 127.0.0.1:${port}; proxy_pass back; proxy_protocol on; }
  server { listen unix:${directory}/front.sock; proxy_pass back; proxy_protocol on; }
}
http {
  access_log off;
  ${temporary}
  server {
    listen unix:${socket} proxy_protocol;
    set_real_ip_from unix:;
    real_ip_header proxy_protocol;
    location / { return 200 "$remote_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port"; }
  }
}
`,
      );
    },
    args: ({ directory }) => ["-e", "stderr", "-p", directory, "-c", "nginx.conf"],
  });
  const { it } = nginx;
  let backEnds: BackEnds;

  before(async () => {
    backEnds = new BackEnds(nginx);
    await Promise.all([backEnds.start("one"), backEnds.start("two")]);
  });

  it("tells who its client is", async () => {
    const { peername, sockname, from, header } = await ask(["127.0.0.1", port], "hello");
    assert.deepEqual(peername, from);
    assert.deepEqual(sockname, ["127.0.0.1", port]);
    assert.deepEqual([header.version, header.command], [1, "proxy"]);
  });

  it("tells that it does not know its client's address on a Unix socket", async () => {
    const { peername, header } = await ask(join(nginx.directory, "front.sock"), "hello");
    assert.equal(peername, "");
    assert.deepEqual(header, { version: 1, command: "proxy" });
  });

  it("restarts one server and loses the other, without a client that fails for long", () =>
    disturbUnderLoad(backEnds, ["127.0.0.1", port]));

  it("believes the header of a client of this library", async () => {
    for (const version of [1, 2] as const) {
      const sendProxyHeader = { version, source: ["192.0.2.1", 1025], destination: ["198.51.100.7", 443] } as const;
      const [reader, writer] = await openTo(nginx.socket, { sendProxyHeader });
      writer.write("GET / HTTP/1.0\r\n\r\n");
      assert.equal(String(await reader.read()).split("\r\n\r\n")[1], "192.0.2.1 1025 198.51.100.7 443");
      writer.close();
      await writer.waitClosed();
    }
  });
});

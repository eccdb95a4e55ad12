/** HAProxy in front of servers with `proxyProtocol`, and behind clients with `sendProxyHeader`. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe } from "node:test";
import { type ProxyHeader, type StreamReader, type StreamWriter, startUnixServer } from "asyncio-streams";
import { openTo } from "../support/addresses.js";
import { freePort } from "../support/bare-sockets.js";
import { certificateFile, identity, trust } from "../support/certificates.js";
import { until } from "../support/turns.js";
import { ask, BackEnds, disturbUnderLoad } from "./balanced.js";
import { program } from "./program.js";

const FRONTS = ["v1", "v2", "full", "tls"] as const;
const FIELDS = "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id";

describe("HAProxy and the PROXY protocol", () => {
  const ports = new Map<string, number>();
  const haproxy = program({
    name: "haproxy",
    package: "haproxy",
    async prepare({ directory, socket }) {
      for (const name of FRONTS) ports.set(name, await freePort());
      const { cert, key } = identity("server");
      writeFileSync(join(directory, "server.pem"), `${cert}${key}`);
      const bind = (name: string): string => `bind 127.0.0.1:${ports.get(name)}`;
      const tls = `ssl crt server.pem ca-file ${certificateFile("ca")} verify optional alpn h2`;
      const servers = (options: string): string => `
  server one unix@${directory}/one.sock ${options}
  server two unix@${directory}/two.sock ${options}`;
      writeFileSync(
        join(directory, "haproxy.cfg"),
        `global
  stats socket ${socket} mode 600 level admin
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  retries 3
  option redispatch 1
listen v1
  ${bind("v1")}${servers("send-proxy check inter 100ms rise 1")}
listen v2
  ${bind("v2")}${servers("send-proxy-v2 check inter 100ms rise 1")}
listen full
  ${bind("full")} ${tls}
  unique-id-format id-%ci:%cp
  server fields unix@${directory}/fields.sock send-proxy-v2 proxy-v2-options ${FIELDS}
listen tls
  ${bind("tls")}
  server tls unix@${directory}/tls.sock send-proxy-v2 ssl verify none
frontend accepting
  mode http
  bind unix@${directory}/accepting.sock accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"
`,
      );
    },
    args: () => ["-db", "-f", "haproxy.cfg"],
  });
  const { it } = haproxy;
  const front = (name: string): readonly [string, number] => ["127.0.0.1", ports.get(name) as number];
  const headers: ProxyHeader[] = [];
  let backEnds: BackEnds;

  before(async () => {
    backEnds = new BackEnds(haproxy);
    await Promise.all([backEnds.start("one"), backEnds.start("two")]);
    const serve = async (reader: StreamReader, writer: StreamWriter): Promise<void> => {
      headers.push(writer.getExtraInfo("proxy_header")!);
      writer.write(`${JSON.stringify({ line: String(await reader.readline()), peername: writer.getExtraInfo("peername") })}\n`);
      writer.close();
    };
    for (const [name, options] of [
      ["fields", {}],
      ["tls", { ssl: identity("server") }],
    ] as const) {
      const server = await startUnixServer(serve, join(haproxy.directory, `${name}.sock`), { proxyProtocol: true, ...options });
      haproxy.atEnd(() => server.shutdown());
    }
  });

  for (const [name, version] of [
    ["v1", 1],
    ["v2", 2],
  ] as const) {
    it(`tells who its client is, by version ${version}`, async () => {
      const { peername, sockname, from, header } = await ask(front(name), "hello");
      assert.deepEqual(peername, from);
      assert.deepEqual(sockname, front(name));
      assert.deepEqual([header.version, header.command, header.transport], [version, "proxy", "stream"]);
    });

    it(`restarts one server and loses the other, without a client that fails for long: version ${version}`, () =>
      disturbUnderLoad(backEnds, front(name)));
  }

  it("tells of the client's TLS in fields, with a checksum", async () => {
    const ssl = { ...trust, ...identity("client"), ALPNProtocols: ["h2"] };
    const { peername, from } = await ask(front("full"), "hello", { ssl, serverHostname: "localhost" });
    assert.deepEqual(peername, from);
    const { alpn, authority, uniqueId, ssl: told } = headers.pop()!;
    assert.deepEqual([alpn, authority, String(uniqueId)], ["h2", "localhost", `id-127.0.0.1:${(from as readonly [string, number])[1]}`]);
    assert.deepEqual([told?.secured, told?.verified, told?.version], [true, true, "TLSv1.3"]);
    assert.equal(typeof told?.commonName, "string");
    assert.match(told?.cipher ?? "", /^TLS_/);
    assert.ok(told?.signatureAlgorithm !== undefined && told.keyAlgorithm !== undefined);
    await ask(front("full"), "hello", { ssl: trust, serverHostname: "localhost" });
    const { secured, verify, verified } = headers.pop()!.ssl!;
    assert.deepEqual([secured, verify, verified], [true, 0, false]);
  });

  it("sends the header before its own TLS handshake", async () => {
    const { peername, from } = await ask(front("tls"), "secret");
    assert.deepEqual(peername, from);
  });

  it("checks the health of a server with a header, which the server accepts", async () => {
    const checks: (ProxyHeader | null)[] = [];
    const server = await startUnixServer(
      (_reader, writer) => {
        checks.push(writer.getExtraInfo("proxy_header"));
        writer.close();
      },
      join(haproxy.directory, "two.sock"),
      { proxyProtocol: true, takeover: true, onClientError: (error) => assert.fail(error as Error) },
    );
    await until(() => checks.some((header) => header?.version === 2 && header.command === "local"));
    await until(() => checks.some((header) => header?.version === 1));
    await server.shutdown();
  });

  it("believes the header of a client of this library", async () => {
    for (const sendProxyHeader of [
      { version: 1, source: ["192.0.2.1", 1025], destination: ["198.51.100.7", 443] },
      {
        source: ["2001:db8::1", 1025],
        destination: ["2001:db8::2", 443],
        authority: "a.example",
        uniqueId: Buffer.from("id"),
        crc32c: true,
      },
    ] as const) {
      const [reader, writer] = await openTo(join(haproxy.directory, "accepting.sock"), { sendProxyHeader });
      writer.write("GET / HTTP/1.0\r\n\r\n");
      const answer = String(await reader.read());
      const fields = "authority" in sendProxyHeader ? "a.example id" : "";
      assert.equal(
        answer.split("\r\n\r\n")[1]?.trim(),
        `${sendProxyHeader.source.join(" ")} ${sendProxyHeader.destination.join(" ")} ${fields}`.trim(),
      );
      writer.close();
      await writer.waitClosed();
    }
  });
});

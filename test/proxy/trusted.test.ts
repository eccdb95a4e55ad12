/** `proxyProtocol.trusted`: who may send a header. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SocketAddress, TransportSocket } from "asyncio-streams";
import { checkProxyProtocol } from "#src/net/proxy-protocol/proxy-option.js";

function peer(address: SocketAddress | null): TransportSocket {
  return { family: "ipv4", getsockname: () => ["", 0], getpeername: () => address, setNoDelay: () => {}, setKeepAlive: () => {} };
}

function trusts(trusted: readonly string[] | ((socket: TransportSocket) => boolean), address: SocketAddress | null): boolean {
  try {
    checkProxyProtocol({ trusted }, "tcp", "startServer")!.checkSender(peer(address));
    return true;
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "ERR_PROXY_PROTOCOL");
    return false;
  }
}

describe("proxyProtocol.trusted", () => {
  const cases: readonly (readonly [network: string, yes: readonly string[], no: readonly string[]])[] = [
    ["192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.2", "::1"]],
    ["192.0.2.0/31", ["192.0.2.0", "192.0.2.1"], ["192.0.2.2"]],
    ["10.0.0.0/8", ["10.255.255.255", "::ffff:10.1.2.3"], ["11.0.0.0", "a00::"]],
    ["10.9.9.9/8", ["10.0.0.0"], ["11.0.0.0"]],
    ["172.16.0.0/12", ["172.31.255.255"], ["172.32.0.0", "172.15.0.0"]],
    ["0.0.0.0/0", ["1.2.3.4", "::ffff:1.2.3.4"], ["::1"]],
    ["::/0", ["::1", "fe80::1%eth0"], ["1.2.3.4"]],
    ["::1", ["::1"], ["::2", "0.0.0.1"]],
    ["fe80::/10", ["fe80::1%2", "febf::1"], ["fec0::1"]],
    ["2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]],
    ["::ffff:10.0.0.0/104", ["10.1.1.1", "::ffff:10.1.1.1"], ["11.1.1.1"]],
    ["::ffff:0:0/90", [], ["10.1.1.1"]],
  ];
  for (const [network, yes, no] of cases) {
    it(`takes ${network} for what it is`, () => {
      for (const address of yes) assert.ok(trusts([network], [address, 1]), address);
      for (const address of no) assert.ok(!trusts([network], [address, 1]), address);
      for (const address of yes) assert.ok(trusts(["203.0.113.5", network], [address, 1]), address);
    });
  }

  it("trusts nobody if it is empty, and no peer whose address is unknown", () => {
    assert.ok(!trusts([], ["127.0.0.1", 1]));
    assert.ok(!trusts(["0.0.0.0/0", "::/0"], null));
    assert.ok(!trusts(["0.0.0.0/0", "::/0"], ["", 0]));
  });

  it("may be a function, and only true is trust", () => {
    assert.ok(trusts(() => true, "/path"));
    assert.ok(!trusts(() => false, "/path"));
    const failing: readonly (() => unknown)[] = [
      () => Promise.resolve(true),
      () => Promise.reject(new Error("no")),
      () => 1,
      () => undefined,
    ];
    for (const decide of failing) {
      const policy = checkProxyProtocol({ trusted: decide as () => boolean }, "unix", "startUnixServer");
      assert.throws(() => policy!.checkSender(peer("/path")), { code: "ERR_INVALID_RETURN_VALUE", message: /must return true or false/ });
    }
    const policy = checkProxyProtocol(
      {
        trusted: () => {
          throw new Error("on purpose");
        },
      },
      "unix",
      "startUnixServer",
    );
    assert.throws(() => policy!.checkSender(peer("/path")), /on purpose/);
  });

  const wrong: readonly (readonly [option: unknown, kind: "tcp" | "unix", message: RegExp])[] = [
    [1, "tcp", /proxyProtocol must be true, false or an options object, not number 1/],
    [null, "tcp", /proxyProtocol must be true, false or an options object, not null/],
    [{ trustd: ["10.0.0.0/8"] }, "tcp", /startServer\(\) has no option "proxyProtocol.trustd": did you mean "proxyProtocol.trusted"\?/],
    [{ trusted: "10.0.0.0/8" }, "tcp", /proxyProtocol.trusted must be an array of addresses and networks, or a function/],
    [{ trusted: [1] }, "tcp", /proxyProtocol.trusted must be an array/],
    [{ trusted: null }, "tcp", /proxyProtocol.trusted must be an array/],
    [{ trusted: ["10.0.0.0/8"] }, "unix", /proxyProtocol.trusted must be a function on a Unix socket/],
    [
      { trusted: ["localhost"] },
      "tcp",
      /proxyProtocol.trusted\[0\] must be an IP address or a network such as "10.0.0.0\/8", not "localhost"/,
    ],
    [{ trusted: ["::1", "10.0.0.0/8/8"] }, "tcp", /proxyProtocol.trusted\[1\] must be an IP address/],
    [{ trusted: ["10.0.0.0/33"] }, "tcp", /must have a prefix length from 0 to 32, not "10.0.0.0\/33"/],
    [{ trusted: ["::/129"] }, "tcp", /must have a prefix length from 0 to 128/],
    [{ trusted: ["10.0.0.0/"] }, "tcp", /must have a prefix length/],
    [{ trusted: ["10.0.0.0/08"] }, "tcp", /must have a prefix length/],
    [{ timeout: 0 }, "tcp", /proxyProtocol.timeout must be an integer from 1/],
    [{ maxHeaderBytes: 51 }, "tcp", /proxyProtocol.maxHeaderBytes must be an integer from 52 to 65551/],
    [{ maxHeaderBytes: 65_552 }, "tcp", /proxyProtocol.maxHeaderBytes must be/],
  ];
  for (const [option, kind, message] of wrong) {
    it(`is checked before anything is opened: ${JSON.stringify(option)} on ${kind}`, () => {
      assert.throws(() => checkProxyProtocol(option as true, kind, "startServer"), message);
    });
  }
});

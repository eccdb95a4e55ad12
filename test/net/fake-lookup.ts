/** Names that resolve to what a test wants: several addresses of this machine, which no name has everywhere. */
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";

/** Lets every name resolve to `addresses` while `body` runs. Only Node can replace what modules have imported already. */
export function withAddresses<T>(addresses: readonly string[], body: () => Promise<T>): Promise<T> {
  return withAnswer(async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })), body);
}

/** Lets the resolver answer every question with `answer()` while `body` runs. */
export async function withAnswer<T>(answer: () => unknown, body: () => Promise<T>): Promise<T> {
  const { lookup } = dns;
  dns.lookup = answer as typeof lookup;
  syncBuiltinESMExports();
  try {
    return await body();
  } finally {
    dns.lookup = lookup;
    syncBuiltinESMExports();
  }
}

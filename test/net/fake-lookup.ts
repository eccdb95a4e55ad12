/** Names that resolve to what a test wants: several addresses of this machine, which no name has everywhere. */
import dns from "node:dns/promises";

/** Lets every name resolve to `addresses` while `body` runs. */
export function withAddresses<T>(addresses: readonly string[], body: () => Promise<T>): Promise<T> {
  return withAnswer(async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })), body);
}

/** Lets the resolver answer every question with `answer()` while `body` runs. */
export async function withAnswer<T>(answer: () => unknown, body: () => Promise<T>): Promise<T> {
  const { lookup } = dns;
  dns.lookup = answer as typeof lookup;
  try {
    return await body();
  } finally {
    dns.lookup = lookup;
  }
}

/** Lets every name be looked up by `found` while `body` runs. */
export async function withLookup<T>(found: () => Promise<never>, body: () => Promise<T>): Promise<T> {
  const { lookup } = dns;
  dns.lookup = found as unknown as typeof lookup;
  try {
    return await body();
  } finally {
    dns.lookup = lookup;
  }
}

/**
 * A client of ssh-agent: lists its keys and requests a signature from each. Messages are binary, with a length prefix.
 *
 * Run it: ssh-agent sh -c 'ssh-add && node build/examples/ssh-agent.js' (or with your running agent: it needs SSH_AUTH_SOCK)
 * You will see: each key with its comment, and whether node:crypto verifies its signature.
 */
import { createPublicKey, type JsonWebKey, type KeyObject, verify } from "node:crypto";
import { fileURLToPath } from "node:url";
import { openUnixConnection } from "asyncio-streams";
import { Framed, lengthPrefixed } from "asyncio-streams/framing";

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
/** Makes RSA keys sign with SHA-512 instead of SHA-1. */
const RSA_SHA2_512 = 4;

/** A public key as the agent names it. */
export type Identity = { blob: Buffer; comment: string };

/** A connection. Send one request at a time: await it before you send the next. */
export class SshAgent {
  readonly #frames: Framed<Buffer, string | Uint8Array>;

  private constructor(frames: Framed<Buffer, string | Uint8Array>) {
    this.#frames = frames;
  }

  static async connect(path: string): Promise<SshAgent> {
    return new SshAgent(new Framed(...(await openUnixConnection(path)), lengthPrefixed({ prefix: 4, maxFrameSize: 262_144 })));
  }

  async identities(): Promise<Identity[]> {
    const answer = await this.#request(REQUEST_IDENTITIES, [], IDENTITIES_ANSWER);
    const strings = split(answer.subarray(4));
    return Array.from({ length: answer.readUInt32BE() }, (_, index) => {
      return { blob: strings[2 * index] as Buffer, comment: String(strings[2 * index + 1]) };
    });
  }

  /** Requests a signature of `data`, for `isGood()`. */
  async sign({ blob }: Identity, data: Buffer): Promise<Buffer> {
    const answer = await this.#request(SIGN_REQUEST, [string(blob), string(data), Buffer.of(0, 0, 0, RSA_SHA2_512)], SIGN_RESPONSE);
    return split(answer)[0] as Buffer;
  }

  async close(): Promise<void> {
    this.#frames.writer.close();
    await this.#frames.writer.waitClosed();
  }

  /** Sends a request and reads the answer. The first byte of a message is its type. */
  async #request(type: number, contents: Buffer[], expected: number): Promise<Buffer> {
    this.#frames.writeFrame(Buffer.concat([Buffer.of(type), ...contents]));
    const answer = await this.#frames.readFrame();
    if (answer === null) throw new Error("the agent has closed the connection");
    if (answer[0] !== expected) throw new Error(`the agent refuses request ${type} with ${answer[0]}`);
    return answer.subarray(1);
  }
}

/** Returns whether `signature` is the signature of `data` by the key of this identity. */
export function isGood({ blob }: Identity, data: Buffer, signature: Buffer): boolean {
  const [type, bytes] = split(signature) as [Buffer, Buffer];
  const key = publicKey(blob);
  if (String(type) === "ssh-ed25519") return verify(null, data, key, bytes);
  if (String(type) === "rsa-sha2-512") return verify("sha512", data, key, bytes);
  const [r, s] = split(bytes).map((number) => Buffer.concat([Buffer.alloc(32), number]).subarray(-32)) as [Buffer, Buffer];
  return verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, Buffer.concat([r, s]));
}

/** Converts a key in SSH's format to a key of node:crypto. */
function publicKey(blob: Buffer): KeyObject {
  const [type, first = blob, second = blob] = split(blob);
  const url = (bytes: Buffer): string => bytes.toString("base64url");
  const keys: Record<string, JsonWebKey> = {
    "ssh-ed25519": { kty: "OKP", crv: "Ed25519", x: url(first) },
    "ssh-rsa": { kty: "RSA", e: url(first), n: url(second) },
    "ecdsa-sha2-nistp256": { kty: "EC", crv: "P-256", x: url(second.subarray(1, 33)), y: url(second.subarray(33)) },
  };
  const key = keys[String(type)];
  if (key === undefined) throw new Error(`keys of type ${String(type)} are not supported`);
  return createPublicKey({ key, format: "jwk" });
}

/** Splits a sequence of SSH strings: four bytes of length, then the bytes. */
function split(bytes: Buffer): Buffer[] {
  if (bytes.length < 4) return [];
  const end = 4 + bytes.readUInt32BE();
  return [bytes.subarray(4, end), ...split(bytes.subarray(end))];
}

function string(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const agent = await SshAgent.connect(process.env["SSH_AUTH_SOCK"] as string);
  for (const identity of await agent.identities()) {
    const data = Buffer.from(`signed by ${identity.comment}`);
    const signature = await agent.sign(identity, data);
    console.log(`${identity.comment}: the signature is ${isGood(identity, data, signature) ? "good" : "bad"}`);
  }
  await agent.close();
}

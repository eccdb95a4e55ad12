/** What every server in JavaScript is told on its command line: `<socket path> <form> [<key file> <certificate file>]`. */
import { readFileSync } from "node:fs";

const [, , path = "", form = "", keyFile, certificateFile] = process.argv;

/** Where to listen. */
export { path };

/** Where the server is that a relay connects to. */
export const upstream: string = `${path}.up`;

/** Which of the server's handlers is asked for. */
export function chooseForm<Handler>(handlers: Readonly<Record<string, Handler>>): Handler {
  const handler = handlers[form];
  if (handler === undefined) throw new Error(`no form ${form}: there are ${Object.keys(handlers).join(", ")}`);
  return handler;
}

/** Key and certificate if TLS is asked for. */
export const tls: { readonly key: Buffer; readonly cert: Buffer } | undefined =
  keyFile === undefined || certificateFile === undefined ? undefined : { key: readFileSync(keyFile), cert: readFileSync(certificateFile) };

/** The default of node:net, used by all. */
export const BACKLOG = 511;

export const BLOCK_BYTES = 1_048_576;

/** Tells the harness that connections are accepted, and collects garbage when it asks for that, before it measures memory. */
export function sayReady(port?: number): void {
  process.on("SIGUSR2", () => {
    const { Bun: bun, gc } = globalThis as { Bun?: { gc(force: boolean): void }; gc?: () => void };
    if (bun === undefined) gc?.();
    else bun.gc(true);
  });
  process.stdout.write(port === undefined ? "ready\n" : `ready ${port}\n`);
}

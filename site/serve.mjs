/**
 * Serves the built site as GitHub Pages does: an address without an extension is the page. `node site/serve.mjs [port]` prints the address.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { base, output } from "./repository.mjs";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

const isFile = (path) => existsSync(path) && statSync(path).isFile();

/** The file for an address; `undefined` if there is none. */
function fileFor(url) {
  const path = decodeURIComponent(new URL(url, "http://site").pathname);
  if (!path.startsWith(base)) return undefined;
  const file = join(output, normalize(`/${path.slice(base.length)}`));
  return [file, `${file}.html`, join(file, "index.html")].find(isFile);
}

/** Starts a server on the loopback interface; port 0 is any free one. Resolves to `{ url, close() }`. */
export function serveSite(port = 0) {
  const server = createServer((request, response) => {
    const file = fileFor(request.url);
    const found = file ?? join(output, "404.html");
    response.writeHead(file === undefined ? 404 : 200, { "content-type": TYPES[extname(found)] ?? "application/octet-stream" });
    createReadStream(found).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      resolve({
        url: `http://127.0.0.1:${server.address().port}${base}`,
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log((await serveSite(Number(process.argv[2] ?? 0))).url);

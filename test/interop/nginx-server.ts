/** nginx on a Unix socket. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, program } from "./program.js";

/** Where it looks for files, and where it keeps what it cannot hold. */
const FOLDERS = ["files", "body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** Starts one for the suite whose body this is called in; `locations` are what the server has to offer, its files beside that. */
export function nginxServer(locations: (program: Program) => string, upstream: (program: Program) => string = () => ""): Program {
  return program({
    name: "nginx",
    package: "nginx",
    prepare(server) {
      for (const folder of FOLDERS) mkdirSync(join(server.directory, folder));
      writeFileSync(
        join(server.directory, "nginx.conf"),
        `daemon off;
${process.getuid?.() === 0 ? "user root root;" : ""}
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 100; }
http {
  access_log off;
  client_max_body_size 0;
  keepalive_requests 100000;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${name.replace("client_", "")};`).join(" ")}
  ${upstream(server)}
  server {
    listen unix:${server.socket};
    root files;
    ${locations(server)}
  }
}
`,
      );
    },
    args: ({ directory }) => ["-e", "stderr", "-p", directory, "-c", "nginx.conf"],
  });
}

/**
 * Installs the clients of npm with which `npm run test:interop` uses `toDuplex()`, apart from the project's own packages. Does nothing if they
 * are installed. Each version is pinned, and is one that Node 20 can run.
 */
import { install } from "./install.mjs";

install("clients", "undici@7.30.2", "ws@8.23.0", "mysql2@3.24.6", "pg@8.23.1", "ioredis@6.0.0", "nodemailer@10.6.1", "mqtt@5.16.0");

// The runtime of Cloudflare Workers, a binary of glibc. Its tests are skipped elsewhere.
if (process.platform === "linux" && process.arch === "x64") install("workerd", "@cloudflare/workerd-linux-64@1.20261117.1");

/**
 * Installs what `npm run showcases` measures beside this library, apart from the project's own packages. Does nothing if it is installed. Each
 * version is pinned.
 */
import { install } from "./install.mjs";

install("showcases", "pg@8.23.1", "pg-query-stream@4.17.0", "postgres@3.4.9", "dockerode@5.0.1");

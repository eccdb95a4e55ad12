/** Where things are: the repository, its address on the web, and the built site. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder of the repository, with a slash at its end. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** The folder of the built site. */
export const output = `${root}build/site`;

const { repository, version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env;

/** The version of the package. */
export { version };

/** The address of the repository: of the one that builds the site, else the one in package.json. */
export const repositoryUrl =
  GITHUB_REPOSITORY === undefined
    ? (repository?.url ?? "https://github.com/asyncio-streams/asyncio-streams").replace(/^git\+/, "").replace(/\.git$/, "")
    : `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`;

/** The path that the site is served at, with slashes around it: `SITE_BASE`, default `/`. */
export const base = `/${process.env.SITE_BASE ?? ""}/`.replace(/\/+/g, "/");

/**
 * Builds the site in build/site: `npm run site`. The packages of the site are installed if they are missing. `-- --dev` serves the site and
 * follows changes of the Markdown.
 *
 * VitePress refuses links to pages that do not exist; this script also refuses links to headings that do not exist. It writes llms.txt
 * and llms-full.txt, and beside each page its Markdown.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeTexts } from "./llms.mjs";
import { writePages } from "./pages.mjs";
import { base, output, root } from "./repository.mjs";

const site = fileURLToPath(new URL(".", import.meta.url));

function run(command, args, options) {
  const { status } = spawnSync(command, args, { cwd: site, stdio: "inherit", ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`);
}

/** Installs what the lock file lists, unless that is done. */
function installPackages() {
  const lock = readFileSync(join(site, "package-lock.json"), "utf8");
  const note = join(site, "node_modules", ".installed-lock.json");
  if (existsSync(note) && readFileSync(note, "utf8") === lock) return;
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
  writeFileSync(note, lock);
}

const bin = (...path) => join(site, "node_modules", ...path);

/** Writes the API pages as Markdown in build/site-api. */
function writeApi() {
  rmSync(`${root}build/site-api`, { recursive: true, force: true });
  run(process.execPath, [bin("typedoc", "bin", "typedoc"), "--options", "typedoc.json", "--logLevel", "Warn"]);
}

/** The pages of the built site, as paths from its folder. */
function builtPages() {
  return readdirSync(output, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));
}

/** The links to headings that do not exist, each with its page. */
function deadAnchors() {
  const ids = new Map();
  const html = new Map(builtPages().map((page) => [page, readFileSync(join(output, page), "utf8")]));
  for (const [page, text] of html) ids.set(page, new Set([...text.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1])));
  const dead = [];
  for (const [page, text] of html) {
    for (const [, href] of text.matchAll(/href="([^"]*#[^"]+)"/g)) {
      const url = new URL(href, `http://site${base}${page}`);
      if (url.host !== "site") continue;
      const path = url.pathname.slice(base.length);
      const target = [path, `${path}.html`, `${path}index.html`].find((name) => ids.has(name));
      if (!ids.get(target)?.has(decodeURIComponent(url.hash.slice(1)))) dead.push(`${page}: ${href}`);
    }
  }
  return dead;
}

installPackages();
mkdirSync(dirname(output), { recursive: true });
writeApi();
writePages(join(site, "source"));
const vitepress = bin("vitepress", "bin", "vitepress.js");
if (process.argv.includes("--dev")) run(process.execPath, [vitepress, "dev"]);
else {
  rmSync(output, { recursive: true, force: true });
  run(process.execPath, [vitepress, "build"]);
  const dead = deadAnchors();
  if (dead.length > 0) throw new Error(`links to headings that do not exist:\n${dead.join("\n")}`);
  writeTexts();
  console.log(`${builtPages().length} pages are in ${output}`);
}

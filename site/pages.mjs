/**
 * The pages of the site: which Markdown file is which page, where links lead, and the sidebar.
 *
 * The site has no Markdown of its own but for the front page and the playground. `PAGES` maps files of the repository to pages. A new file
 * below docs/ is a page without further work: it appears in the sidebar, in the group of its folder.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { repositoryUrl, root } from "./repository.mjs";

/** Prefixes of files, and of the pages that they become. */
const PAGES = [
  ["docs/", ""],
  ["site/pages/", ""],
  ["build/site-api/", "api/"],
];

/** Single files, and the pages that they become. */
const FILES = { "examples/README.md": "examples.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md" };

/** What a link to a file that is not a page of its own leads to. */
const STAND_INS = { "README.md": "/" };

/** The page that a file of the repository becomes: `"guide/streams.md"`; `undefined` if it becomes none. */
export function pageOf(file) {
  if (file in FILES) return FILES[file];
  const [from, to] = PAGES.find(([from]) => file.startsWith(from)) ?? [];
  return from === undefined || !file.endsWith(".md") ? undefined : to + file.slice(from.length);
}

/** The anchor of a heading, as GitHub makes it: the tests of the documentation use the same rule. */
export function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
}

/**
 * What a link in a Markdown file leads to on the site: a page as `/guide/streams.md#limits`, or a file of the repository as its address on
 * the web. Addresses, and links within the page, are returned unchanged.
 */
export function resolveLink(file, href) {
  // The pages of the site link to pages, and not to files.
  if (/^([a-z]+:|\/|#)/i.test(href) || file.startsWith("site/")) return href;
  const [path, hash] = href.split("#", 2);
  const target = posix.join(posix.dirname(file), path);
  const suffix = hash === undefined ? "" : `#${hash}`;
  if (target in STAND_INS) return STAND_INS[target] + suffix;
  const page = existsSync(root + target) ? pageOf(target) : undefined;
  if (page !== undefined) return `/${page}${suffix}`;
  // A dead link stays as it is: VitePress refuses it.
  if (!existsSync(root + target)) return href;
  const kind = statSync(root + target).isDirectory() ? "tree" : "blob";
  return `${repositoryUrl}/${kind}/main/${target.replace(/\/$/, "")}${suffix}`;
}

/** The Markdown of a file with links as on the site; `address` makes addresses of its pages, which begin with a slash. */
export function textOf(file, address = (path) => path) {
  const blocks = readFileSync(root + file, "utf8").split(/^(```[^]*?^```)/m);
  return blocks.map((block) => (block.startsWith("```") ? block : withLinks(block, file, address))).join("");
}

function withLinks(text, file, address) {
  return text.replace(/(?<!!\[[^\]]*)\]\(([^)\s]+)\)/g, (_, href) => {
    const target = resolveLink(file, href);
    return `](${target.startsWith("/") ? address(target) : target})`;
  });
}

/** The Markdown files that are pages. */
export function files() {
  const below = PAGES.flatMap(([folder]) => readdirSync(root + folder, { recursive: true, encoding: "utf8" }).map((name) => folder + name));
  return [...below.filter((file) => file.endsWith(".md")).sort(), ...Object.keys(FILES)];
}

/** The parts of README.md that the front page repeats: replaces each comment `README: heading` by that part. */
function withReadme(text) {
  const readme = textOf("README.md");
  return text.replace(/<!-- README: (.+) -->/g, (_, heading) => {
    const start = readme.indexOf(`${heading}\n`);
    if (start === -1) throw new Error(`README.md has no part "${heading}"`);
    const end = readme.indexOf("\n## ", start);
    return readme.slice(start, end === -1 ? undefined : end).replace(/^```ts run$/gm, "```ts");
  });
}

/** The height of the first two groups of bars in the chart, which are about lines. */
const LINES_HEIGHT = 476;

/** The benchmark's chart, cut after the first two groups. */
function chartOfLines() {
  const chart = readFileSync(`${root}docs/performance/chart.svg`, "utf8");
  const [, height] = /viewBox="0 0 860 ([\d.]+)"/.exec(chart);
  return chart.replace(`0 0 860 ${height}`, `0 0 860 ${LINES_HEIGHT}`).replace(`height="${height}"`, `height="${LINES_HEIGHT}"`);
}

/** Writes all pages, and the pictures in docs/, into a folder for VitePress. */
export function writePages(folder) {
  rmSync(folder, { recursive: true, force: true });
  cpSync(`${root}docs`, folder, { recursive: true, filter: (path) => !path.endsWith(".md") });
  writeFileSync(join(folder, "performance", "lines.svg"), chartOfLines());
  for (const file of files()) {
    const path = join(folder, pageOf(file));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.startsWith("site/") ? withReadme(textOf(file)) : textOf(file));
  }
}

/** The first heading of a Markdown file, without its marks and without the parameters of a generic type. */
export function titleOf(file) {
  const heading = /^# (.+)$/m.exec(readFileSync(root + file, "utf8"))?.[1] ?? posix.basename(file, ".md");
  return heading.replaceAll("`", "").replaceAll("\\", "").replace(/<.*>/, "");
}

/** The Markdown files in a folder, not below it. */
function filesIn(folder) {
  if (!existsSync(root + folder)) return [];
  const names = readdirSync(root + folder).filter((name) => name.endsWith(".md"));
  return names.sort().map((name) => `${folder}/${name}`);
}

/** The pages at the top of docs/ that have a place; all others follow under "Reference". */
const GROUPS = {
  Start: ["docs/getting-started.md", "docs/guide.md", "docs/command.md"],
  Coming: ["docs/from-python.md", "docs/from-net.md", "docs/from-others.md"],
  Internals: ["docs/design.md", "docs/performance-notes.md", "CONTRIBUTING.md", "CHANGELOG.md"],
};

/** The groups of the sidebar before the API: `{ text, files }`, in order. */
export function groups() {
  const placed = new Set(Object.values(GROUPS).flat());
  const present = (files) => files.filter((file) => existsSync(root + file));
  const showcases = filesIn("docs/showcases");
  const folders = readdirSync(`${root}docs`).filter((name) => statSync(`${root}docs/${name}`).isDirectory());
  const others = folders.filter((name) => !["guide", "showcases"].includes(name)).flatMap((name) => filesIn(`docs/${name}`));
  return [
    { text: "Start", files: present(GROUPS.Start) },
    { text: "Coming from", files: present(GROUPS.Coming) },
    { text: "Guide", files: chapters() },
    { text: "Showcases", files: [...showcases, "examples/README.md"] },
    { text: "Reference", files: [...filesIn("docs").filter((file) => !placed.has(file)), ...others] },
    { text: "Internals", files: present(GROUPS.Internals) },
  ].filter(({ files }) => files.length > 0);
}

/** The chapters of the guide, in the order of docs/guide.md; chapters that it does not list follow. */
function chapters() {
  const text = readFileSync(`${root}docs/guide.md`, "utf8");
  const listed = [...text.matchAll(/^\| \[[^\]]+\]\((guide\/[\w-]+\.md)\)/gm)].map((match) => `docs/${match[1]}`);
  return [...new Set([...listed, ...filesIn("docs/guide")])];
}

/** The folders of the API pages, which are named after the kinds of exports. */
const KINDS = { functions: "Functions", classes: "Classes", interfaces: "Interfaces", "type-aliases": "Types", variables: "Constants" };

function apiGroups() {
  const folder = "build/site-api/asyncio-streams";
  const entries = ["", "/framing", "/process", "/testing", "/unix"];
  return entries.map((entry) => ({
    text: `asyncio-streams${entry}`,
    link: `/api/asyncio-streams${entry}/`,
    collapsed: entry !== "",
    items: Object.entries(KINDS)
      .map(([kind, text]) => ({
        text,
        collapsed: kind !== "functions" && kind !== "classes",
        items: filesIn(`${folder}${entry}/${kind}`).map(itemOf),
      }))
      .filter(({ items }) => items.length > 0),
  }));
}

function itemOf(file) {
  return { text: titleOf(file), link: `/${pageOf(file).replace(/\.md$/, "")}` };
}

/** The sidebars: one for the API, one for everything else. */
export function sidebar() {
  const rest = groups().map(({ text, files }) => ({ text, collapsed: text === "Internals", items: files.map(itemOf) }));
  return { "/api/": apiGroups(), "/": rest };
}

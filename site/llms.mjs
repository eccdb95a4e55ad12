/**
 * Writes the texts for language models into the built site: llms.txt, a list of the pages with a line about each; llms-full.txt, all of the
 * documentation in one file; and beside each page its Markdown, with links that lead to the site.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { files, groups, pageOf, textOf, titleOf } from "./pages.mjs";
import { base, output, root, version } from "./repository.mjs";

/** The address of the site, if it is known: `SITE_ORIGIN`, such as `https://example.org`. Without it, links begin with a slash. */
const origin = process.env.SITE_ORIGIN ?? "";

const address = (page) => `${origin}${base}${page.replace(/^\//, "")}`;

/** The first sentence of a page, without the marks of links and code. */
function summaryOf(file) {
  const [, paragraph = ""] = /^# .+\n+((?:[^\n#|<`][^\n]*\n)+)/m.exec(readFileSync(join(root, file), "utf8")) ?? [];
  const plain = paragraph.replace(/\s+/g, " ").replace(/\[([^\]]+)\]\([^)]+\)/g, "$1");
  return /^.+?[.:](?= |$)/.exec(plain)?.[0] ?? plain.trim();
}

function write(path, text) {
  const file = join(output, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The file of the API's page of an entry of the package. */
const isEntry = (file) => /^build\/site-api\/.+\/index\.md$/.test(file);

/** Writes llms.txt, llms-full.txt and the Markdown of all pages into the built site. */
export function writeTexts() {
  const pages = files().filter((file) => !file.startsWith("site/"));
  const sections = [...groups(), { text: "API", files: pages.filter(isEntry) }];
  const lines = [
    "# asyncio-streams",
    "",
    "> Python's asyncio Streams for TypeScript: Unix sockets, TCP and TLS as a [reader, writer] pair, with limits, back-pressure and",
    `> clean closing. Version ${version}, for Node >= 20, Bun and Deno. No dependencies.`,
    "",
    `Each page below is Markdown. All of them, and the API of every export, are in one file: ${address("llms-full.txt")}`,
  ];
  for (const { text, files } of sections) {
    lines.push("", `## ${text}`, "");
    for (const file of files) {
      const summary = summaryOf(file);
      lines.push(`- [${titleOf(file)}](${address(pageOf(file))})${summary === "" ? "" : `: ${summary}`}`);
    }
  }
  write("llms.txt", `${lines.join("\n")}\n`);
  const placed = groups().flatMap(({ files }) => files);
  const api = pages.filter((file) => !placed.includes(file));
  const full = [...placed, ...api].filter((file) => file !== "CHANGELOG.md");
  write("llms-full.txt", full.map((file) => `<!-- ${address(pageOf(file))} -->\n\n${textOf(file, address).trim()}\n`).join("\n"));
  for (const file of pages) write(pageOf(file), textOf(file, address));
}

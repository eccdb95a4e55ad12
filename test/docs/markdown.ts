/** Reading our own Markdown: headings, tables and code blocks, as far as the documentation's tests need them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/repository.js";

/** A row of a table: its cells, without the bars. */
export type Row = readonly string[];

/** A code block. */
export interface CodeBlock {
  /** As it stands behind the fence: `"ts run"`. */
  readonly info: string;
  readonly code: string;
  /** The line of its fence, from 1. */
  readonly line: number;
}

/** A document, part by part. */
export interface Markdown {
  readonly text: string;
  /** The headings, without their marks. */
  readonly headings: readonly { readonly level: number; readonly text: string }[];
  /** The rows of all tables below a heading, without the head of the table. */
  rows(heading: string): readonly Row[];
  readonly blocks: readonly CodeBlock[];
}

/** The documents of the library: README.md, AGENTS.md, SECURITY.md, CONTRIBUTING.md, CHANGELOG.md, examples/README.md and all below docs/, as paths from the root. */
export function documents(): string[] {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
  return [
    "README.md",
    "AGENTS.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/README.md",
    ...docs.map((name) => `docs/${name}`),
  ];
}

/** Reads a document. */
export function readMarkdown(path: string): Markdown {
  const text = readFileSync(join(root, path), "utf8");
  const headings: { level: number; text: string }[] = [];
  const rowsByHeading = new Map<string, Row[]>();
  const blocks: CodeBlock[] = [];
  let rows: Row[] = [];
  let fence: { info: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    if (fence !== null) {
      if (line.startsWith("```")) {
        blocks.push({ info: fence.info, code: `${fence.lines.join("\n")}\n`, line: fence.line });
        fence = null;
      } else fence.lines.push(line);
    } else if (line.startsWith("```")) fence = { info: line.slice(3).trim(), line: index + 1, lines: [] };
    else if (line.startsWith("#")) {
      const heading = line.replace(/^#+ /, "");
      headings.push({ level: line.indexOf(" "), text: heading });
      rows = [];
      rowsByHeading.set(heading, rows);
    } else if (line.startsWith("|")) {
      // The bar below a table's head takes the head with it.
      if (/^\|[-| :]+\|$/.test(line)) rows.pop();
      else rows.push(splitRow(line));
    }
  }
  return { text, headings, blocks, rows: (heading) => rowsByHeading.get(heading) ?? [] };
}

function splitRow(line: string): Row {
  return line
    .slice(1, line.lastIndexOf("|"))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** The code that a cell begins with, without its backticks; `null` if it begins otherwise. */
export function leadingCode(cell: string | undefined): string | null {
  return cell?.match(/^`([^`]+)`/)?.[1] ?? null;
}

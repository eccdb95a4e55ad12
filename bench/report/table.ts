/** Tables: the results as a person reads them. */
import type { WorkSummary } from "./summary.js";

/** Three significant digits, and thousands separated. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}

export const ratio = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : "-");

/** The first row is the heading; the first column is set left, the others right. A row that ends early is a remark, and may be as long as it likes. */
export function columns(rows: readonly (readonly string[])[]): string {
  const [heading = []] = rows;
  const whole = rows.filter((row) => row.length === heading.length);
  const widths = heading.map((_, column) => Math.max(...whole.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number);
  return rows.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}

export function workTable(summary: WorkSummary): string {
  const ours = Object.keys(summary.rows[0]?.ratios ?? {});
  const hasLatency = summary.rows.some(({ latency }) => latency !== null);
  const heading = [
    "",
    summary.cost,
    summary.rate,
    ...(hasLatency ? ["p50 µs", "p90 µs", "p99 µs"] : []),
    ...ours.map((name) => `${name.replace("ours: ", "")} / this`),
  ];
  const rows = summary.rows.map(({ name, missing, cost, rate, latency, ratios }) => {
    if (missing !== null) return [name, missing.split("\n", 1)[0] as string];
    const times = latency === null ? ["-", "-", "-"] : [latency.p50, latency.p90, latency.p99].map(figure);
    return [name, figure(cost), figure(rate), ...(hasLatency ? times : []), ...ours.map((each) => ratio(ratios[each] ?? Number.NaN))];
  });
  return `${summary.id}: ${summary.title}\n${columns([heading, ...rows])}`;
}

export function targetTable(summaries: readonly WorkSummary[]): string {
  const rows = summaries.flatMap(({ id, targets }) =>
    targets.map(({ ours, peer, ratio: value, atMost, reached }) => [
      `${id}  ${ours} / ${peer}`,
      ratio(value),
      `<= ${ratio(atMost)}`,
      Number.isNaN(value) ? "not measured" : reached ? "reached" : "NOT reached",
    ]),
  );
  return columns([["what is to be reached", "ratio", "target", ""], ...rows]);
}

/** What peers do besides lines and streams. */
const MESSAGES = ["frames", "text", "JSON", "connect", "import"] as const;

/** Columns of the summary: each peer, with the names of its servers in the works. */
const SUMMARY_PEERS: readonly (readonly [heading: string, ...names: string[]])[] = [
  [
    "`node:net`, `node:tls`",
    "node:net",
    "node:net, data",
    "node:tls",
    "node:tls, data",
    "node:tls, STARTTLS",
    ...MESSAGES.map((what) => `node:net, ${what}`),
    "node:net, pipe",
  ],
  ["`node:readline`", "node:readline", "node:readline, CRLF", "node:readline, JSON"],
  ["promise-socket", "promise-socket"],
  ["asyncio", "asyncio", "asyncio, read", "asyncio, relay", ...MESSAGES.map((what) => `asyncio, ${what}`)],
  ["uvloop", "uvloop", "uvloop, read", "uvloop, relay", ...MESSAGES.map((what) => `uvloop, ${what}`)],
  ["C", "C epoll", "C epoll, read", "C splice"],
];

/** A Markdown table of one line for each work: the cost of our first form, and its ratio to each peer. */
export function summaryTable(summaries: readonly WorkSummary[]): string {
  const rows = summaries.map(({ id, title, cost, rows: servers }) => {
    const ours = servers[0];
    const cells = SUMMARY_PEERS.map(([, ...names]) => {
      const value = servers.find(({ name }) => names.includes(name))?.ratios[ours?.name ?? ""];
      return value === undefined ? "" : ratio(value);
    });
    return [`${id}: ${title}`, `${figure(ours?.cost ?? Number.NaN)} ${cost}`, ...cells];
  });
  const heading = ["work", "this library", ...SUMMARY_PEERS.map(([name]) => name)];
  return [heading, heading.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

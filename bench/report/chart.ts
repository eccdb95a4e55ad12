/** The chart: for each work a panel with a bar for each contestant, as SVG that suits light and dark pages. */
import { isOurs } from "../contestants.js";
import type { WorkSummary } from "./summary.js";
import { figure } from "./table.js";

/** Pixels. */
const WIDTH = 860;
const PANEL_GAP = 26;
const TITLE_HEIGHT = 26;
const BAR_HEIGHT = 16;
const ROW_HEIGHT = 21;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 110;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .unit { fill: #6e7781 }
  .ours { fill: #1a7f64 }
  .peer { fill: #9aa4ae }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .unit { fill: #9198a1 } .ours { fill: #2ea383 } .peer { fill: #59636e } }`;

const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

export function drawChart(summaries: readonly WorkSummary[]): string {
  const panels: string[] = [];
  let top = 0;
  for (const summary of summaries) {
    const { svg, height } = drawPanel(summary, top);
    panels.push(svg);
    top += height + PANEL_GAP;
  }
  const height = top - PANEL_GAP + ROW_HEIGHT / 2;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>What each server costs: shorter is better</title>
<style>${STYLE}
</style>
${panels.join("\n")}
</svg>
`;
}

function drawPanel({ id, title, cost, rows }: WorkSummary, top: number): { svg: string; height: number } {
  const measured = rows.filter((row) => row.missing === null);
  const most = Math.max(...measured.map((row) => row.cost));
  const lines = [
    `<text class="title" x="0" y="${top + 16}">${id}: ${escapeText(title)} <tspan class="unit">(${escapeText(cost)})</tspan></text>`,
  ];
  for (const [index, row] of measured.entries()) {
    const y = top + TITLE_HEIGHT + index * ROW_HEIGHT;
    const width = Math.max(1, (row.cost / most) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH)).toFixed(1);
    const kind = isOurs(row.name) ? "ours" : "peer";
    lines.push(
      `<text x="${LABEL_WIDTH - 8}" y="${y + 13}" text-anchor="end">${escapeText(row.name)}</text>`,
      `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2"/>`,
      `<text x="${LABEL_WIDTH + Number(width) + 6}" y="${y + 13}">${figure(row.cost)}</text>`,
    );
  }
  return { svg: lines.join("\n"), height: TITLE_HEIGHT + measured.length * ROW_HEIGHT };
}

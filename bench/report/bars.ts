/** Bar charts as SVG that suits light and dark pages. */
import { figure } from "./table.js";

/** A part of a chart, with a bar for each value. */
export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly { readonly name: string; readonly value: number; readonly isOurs: boolean }[];
}

/** Pixels. */
const WIDTH = 860;
const PANEL_GAP = 26;
const TITLE_HEIGHT = 26;
const BAR_HEIGHT = 16;
const ROW_HEIGHT = 21;
const LABEL_WIDTH = 215;
const VALUE_WIDTH = 110;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .unit { fill: #6e7781 }
  .ours { fill: #1a7f64 }
  .peer { fill: #9aa4ae }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .unit { fill: #9198a1 } .ours { fill: #2ea383 } .peer { fill: #59636e } }`;

const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** @param labelWidth the space for the names of the bars, in pixels */
export function drawBars(title: string, panels: readonly Panel[], labelWidth: number = LABEL_WIDTH): string {
  const drawn: string[] = [];
  let top = 0;
  for (const panel of panels) {
    drawn.push(drawPanel(panel, top, labelWidth));
    top += TITLE_HEIGHT + panel.bars.length * ROW_HEIGHT + PANEL_GAP;
  }
  const height = top - PANEL_GAP + ROW_HEIGHT / 2;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escapeText(title)}</title>
<style>${STYLE}
</style>
${drawn.join("\n")}
</svg>
`;
}

function drawPanel({ title, unit, bars }: Panel, top: number, labelWidth: number): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const lines = [`<text class="title" x="0" y="${top + 16}">${escapeText(title)} <tspan class="unit">(${escapeText(unit)})</tspan></text>`];
  for (const [index, { name, value, isOurs }] of bars.entries()) {
    const y = top + TITLE_HEIGHT + index * ROW_HEIGHT;
    const width = Math.max(1, (value / most) * (WIDTH - labelWidth - VALUE_WIDTH)).toFixed(1);
    lines.push(
      `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escapeText(name)}</text>`,
      `<rect class="${isOurs ? "ours" : "peer"}" x="${labelWidth}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2"/>`,
      `<text x="${labelWidth + Number(width) + 6}" y="${y + 13}">${figure(value)}</text>`,
    );
  }
  return lines.join("\n");
}

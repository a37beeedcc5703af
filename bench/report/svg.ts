/**
 * Charts as SVG, by hand: lines over steps that are evenly apart, and panels of bars from zero.
 *
 * Colours are told apart by those who see few, ours is the strongest, floors are grey. Every scale says whether it is
 * logarithmic; a linear one begins at zero.
 */

export interface Line {
  readonly name: string;
  readonly kind: "ours" | "peer" | "floor";
  /** One per step; NaN where there is none. */
  readonly values: readonly number[];
}

export interface LineChart {
  readonly title: string;
  readonly steps: readonly string[];
  readonly xTitle: string;
  readonly yTitle: string;
  readonly logarithmic: boolean;
  readonly lines: readonly Line[];
}

export interface Bar {
  readonly name: string;
  readonly kind: "ours" | "peer" | "floor";
  readonly value: number;
}

export interface BarPanel {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const palette = ["#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#a6761d"];
const width = 860;

export function lineChart({ title, steps, xTitle, yTitle, logarithmic, lines }: LineChart): string {
  const area = { left: 80, top: 70, right: width - 210, bottom: 390 };
  const scale = scaleOf(
    lines.flatMap((line) => line.values),
    logarithmic,
  );
  const x = (i: number): number =>
    area.left + ((area.right - area.left) * (i + 0.5)) / Math.max(1, steps.length);
  const y = (value: number): number => area.bottom - (area.bottom - area.top) * scale.at(value);
  const grid = scale.ticks.map(
    (tick) =>
      `<line x1="${area.left}" x2="${area.right}" y1="${px(y(tick))}" y2="${px(y(tick))}" stroke="#ddd"/>` +
      text(area.left - 8, y(tick) + 4, short(tick), 'text-anchor="end"'),
  );
  const labels = steps.map((step, i) => text(x(i), area.bottom + 20, step, 'text-anchor="middle"'));
  const colour = colours(lines);
  const drawn = lines.map((line, n) => {
    const known = line.values
      .map((value, i) => ({ value, i }))
      .filter(({ value }) => Number.isFinite(value) && (value > 0 || !logarithmic));
    const points = known.map(({ value, i }) => `${px(x(i))},${px(y(value))}`);
    const dots = known.map(({ value, i }) => `<circle cx="${px(x(i))}" cy="${px(y(value))}" r="3"/>`);
    const style = `stroke="${colour(n)}" stroke-width="${line.kind === "ours" ? 3.5 : 1.8}"`;
    const dash = line.kind === "floor" ? ' stroke-dasharray="6 4"' : "";
    return (
      `<g fill="${colour(n)}"><polyline points="${points.join(" ")}" fill="none" ${style}${dash}/>${dots.join("")}</g>` +
      legend({ x: area.right + 20, y: area.top + 10 + n * 22 }, line.name, style + dash)
    );
  });
  return page(450, title, [
    ...grid,
    ...labels,
    text((area.left + area.right) / 2, area.bottom + 45, xTitle, 'text-anchor="middle"'),
    text(area.left - 60, area.top - 14, `${yTitle} (${logarithmic ? "logarithmic" : "from zero"})`, ""),
    ...drawn,
  ]);
}

/** Panels one below the other; within a panel all bars have one scale, from zero. */
export function barChart(title: string, footnotes: readonly string[], panels: readonly BarPanel[]): string {
  const left = 190;
  const room = width - left - 90;
  const row = 20;
  const parts: string[] = [];
  let top = 60;
  for (const panel of panels) {
    parts.push(text(20, top, panel.title, 'font-weight="bold"'));
    const most = Math.max(...panel.bars.map(({ value }) => (Number.isFinite(value) ? value : 0)));
    for (const bar of panel.bars) {
      top += row;
      const length = most > 0 && Number.isFinite(bar.value) ? (bar.value / most) * room : 0;
      const fill = { ours: "#0050b3", peer: "#e69f00", floor: "#999" }[bar.kind];
      parts.push(
        text(left - 8, top, bar.name, 'text-anchor="end"'),
        `<rect x="${left}" y="${top - 11}" width="${px(length)}" height="14" fill="${fill}"/>`,
        text(left + length + 6, top, short(bar.value), ""),
      );
    }
    top += 38;
  }
  for (const [i, line] of footnotes.entries()) {
    parts.push(text(20, top + i * 16, line, 'font-size="11" fill="#555"'));
  }
  return page(top + footnotes.length * 16 + 6, title, parts);
}

export interface RatioBar {
  readonly label: string;
  readonly value: number;
  /** What it is compared with. */
  readonly beside: string;
}

/** Bars that begin at 1, on a logarithmic scale: to the right where ours is faster, to the left where it is slower. */
export function ratioChart(title: string, footnote: string, bars: readonly RatioBar[]): string {
  const [one, perOctave, row] = [420, 70, 24];
  const at = (value: number): number => one + Math.log2(value) * perOctave;
  const bottom = 46 + bars.length * row;
  const grid = [0.5, 1, 2, 4, 8, 16].map(
    (tick) =>
      `<line x1="${px(at(tick))}" x2="${px(at(tick))}" y1="42" y2="${bottom}" stroke="${tick === 1 ? "#333" : "#ddd"}"/>` +
      text(at(tick), bottom + 16, `${tick}×`, 'text-anchor="middle" fill="#555"'),
  );
  const drawn = bars.map(({ label, value, beside }, n) => {
    const [y, isFaster] = [62 + n * row, value >= 1];
    const from = Math.min(one, at(value));
    const fill = isFaster ? "#0050b3" : "#e69f00";
    return (
      text(310, y, label, 'text-anchor="end"') +
      `<rect x="${px(from)}" y="${y - 11}" width="${px(Math.abs(at(value) - one))}" height="14" fill="${fill}"/>` +
      text(
        Math.max(one, at(value)) + 6,
        y,
        `${Number(value.toPrecision(2))}× ${beside}`,
        'font-size="11" fill="#555"',
      )
    );
  });
  return page(bottom + 44, title, [
    ...grid,
    ...drawn,
    text(20, bottom + 36, footnote, 'font-size="11" fill="#555"'),
  ]);
}

function page(height: number, title: string, parts: readonly string[]): string {
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">`;
  const ground = `<rect width="${width}" height="${height}" fill="#fff"/>`;
  const heading = `<title>${escape(title)}</title>${text(20, 24, title, 'font-size="16" font-weight="bold"')}`;
  return `${[open, ground, heading, ...parts, "</svg>"].join("\n")}\n`;
}

function legend(at: { readonly x: number; readonly y: number }, name: string, style: string): string {
  return (
    `<line x1="${at.x}" x2="${at.x + 26}" y1="${at.y}" y2="${at.y}" ${style}/>` +
    text(at.x + 34, at.y + 4, name, "")
  );
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${px(x)}" y="${px(y)}" ${attributes}>${escape(content)}</text>`;
}

/** Ours is blue, floors are grey, peers take what is left, always in the same order. */
function colours(lines: readonly Line[]): (n: number) => string {
  const peers = lines.filter(({ kind }) => kind === "peer");
  return (n) => {
    const line = lines[n];
    if (line === undefined || line.kind === "floor") return n % 2 === 0 ? "#777" : "#aaa";
    if (line.kind === "ours") return lines.indexOf(line) === 0 ? "#0050b3" : "#5b9bd5";
    return palette[peers.indexOf(line) % palette.length] ?? "#000";
  };
}

interface Scale {
  readonly ticks: readonly number[];
  /** From 0 at the bottom to 1 at the top. */
  at(value: number): number;
}

function scaleOf(values: readonly number[], logarithmic: boolean): Scale {
  const known = values.filter((value) => Number.isFinite(value) && (value > 0 || !logarithmic));
  if (logarithmic) {
    const from = Math.floor(Math.log10(Math.min(...known, 1)));
    const to = Math.ceil(Math.log10(Math.max(...known, 10)));
    const ticks = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
    return { ticks, at: (value) => (Math.log10(value) - from) / (to - from) };
  }
  const most = Math.max(...known, 1e-9);
  const size = 10 ** Math.floor(Math.log10(most));
  const step = [0.2, 0.5, 1, 2].map((n) => n * size).find((n) => most / n <= 6) ?? size;
  const top = Math.ceil(most / step) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  return { ticks, at: (value) => value / top };
}

function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Curves as SVG text: panels below each other, a legend, gentle grid lines; no script, readable in light and dark. */

export interface CurveLine {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A place on the x axis, with what is there. */
export interface CurveMark {
  readonly x: number;
  readonly label: string;
}

export interface CurvePanel {
  /** What the y axis shows. */
  readonly label: string;
  readonly lines: readonly CurveLine[];
  readonly mark?: CurveMark;
  /** "linear" whatever the values are; otherwise logarithmic where positive ones span more than a factor of 30. */
  readonly scale?: "linear";
}

const WIDTH = 720;
const HEIGHT = 250;
const LEFT = 78;
const RIGHT = 20;
const TOP = 40;
const BOTTOM = 44;
/** Two colours that also differ for the colour-blind (Okabe and Ito 2008), and more if needed. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

const inXml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const coordinate = (x: number): string => String(Math.round(x * 10) / 10);

/** Smallest and largest; by a loop, because a call takes no million arguments. */
const range = (values: readonly number[]): [low: number, high: number] =>
  values.reduce<[number, number]>(
    ([low, high], v) => [Math.min(low, v), Math.max(high, v)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );

/** One picture of several panels over the same x axis, which counts steps unless its title says otherwise. */
export function curvesSvg(title: string, panels: readonly CurvePanel[], { x = "step" }: { readonly x?: string } = {}): string {
  const height = panels.length * HEIGHT + 30;
  const points = panels
    .flatMap(({ lines }) => lines.flatMap((line) => line.points))
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  const [from, to] = range(points.map(([x]) => x).concat(0, 1));
  const body = panels.map((panel, i) => `<g transform="translate(0 ${30 + i * HEIGHT})">${drawPanel(panel, { from, to, title: x })}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/><text x="${LEFT}" y="22" font-size="15" font-weight="600" fill="#222">${inXml(title)}</text>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

interface XAxis {
  readonly from: number;
  readonly to: number;
  readonly title: string;
}

function drawPanel({ label, lines, mark, scale }: CurvePanel, { from, to, title }: XAxis): string {
  const values = lines.flatMap((line) => line.points.map(([, y]) => y)).filter(Number.isFinite);
  if (values.length === 0) return `<text x="${LEFT}" y="${TOP}" fill="#666">${inXml(label)}: nothing yet</text>`;
  const y = axis(values, scale);
  const px = (v: number): number => LEFT + ((v - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const py = (v: number): number => TOP + (1 - y.place(v)) * (HEIGHT - TOP - BOTTOM);
  const grid = y.ticks.map((v) => {
    const at = coordinate(py(v));
    return `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="#e4e4e4"/><text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end" fill="#555">${number(v)}</text>`;
  });
  const marks = axisBetween(from, to).map(
    (v) => `<text x="${coordinate(px(v))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#555">${number(v)}</text>`,
  );
  const drawn = lines.map(({ points }, i) => drawLine(points, COLOURS[i % COLOURS.length]!, px, py));
  return [
    ...titles(y.logarithmic ? `${label} (logarithmic)` : label, title),
    ...grid,
    ...marks,
    ...drawn,
    ...legend(lines, mark),
    drawMark(mark, px),
  ].join("\n");
}

/** What the axes show: beside the y axis, below the x axis. */
function titles(y: string, x: string): string[] {
  const middle = coordinate((TOP + HEIGHT - BOTTOM) / 2);
  return [
    `<text transform="translate(16 ${middle}) rotate(-90)" text-anchor="middle" fill="#333" font-weight="600">${inXml(y)}</text>`,
    `<text x="${coordinate((LEFT + WIDTH - RIGHT) / 2)}" y="${HEIGHT - BOTTOM + 34}" text-anchor="middle" fill="#333">${inXml(x)}</text>`,
  ];
}

/** About the width of a text in pixels. */
const widthOf = (text: string): number => 6.5 * text.length;

/** One row above the panel: the lines, then what the dashed line is, so that no two texts meet. */
function legend(lines: readonly CurveLine[], mark: CurveMark | undefined): string[] {
  // A single line is what its axis says.
  const coloured =
    lines.length < 2 ? [] : lines.map(({ label }, i) => ({ label, stroke: `stroke="${COLOURS[i % COLOURS.length]}" stroke-width="2.5"` }));
  const entries = mark ? [...coloured, { label: mark.label, stroke: DASHED }] : coloured;
  let at = LEFT;
  return entries.map(({ label, stroke }) => {
    const from = at;
    at += 24 + widthOf(label) + 22;
    return `<path d="M${coordinate(from)} 20h18" ${stroke}/><text x="${coordinate(from + 24)}" y="24" fill="#333">${inXml(label)}</text>`;
  });
}

const DASHED = 'stroke="#777" stroke-dasharray="4 4"';

/** A dashed line from top to bottom. */
const drawMark = (mark: CurveMark | undefined, px: (v: number) => number): string =>
  mark ? `<path d="M${coordinate(px(mark.x))} ${TOP}V${HEIGHT - BOTTOM}" ${DASHED}/>` : "";

/** At most this many points of a line are drawn; each stands for the mean of its share. */
const MOST_POINTS = 700;

function thinned(points: CurveLine["points"]): CurveLine["points"] {
  const share = Math.ceil(points.length / MOST_POINTS);
  if (share <= 1) return points;
  const mean = (part: CurveLine["points"], axis: 0 | 1): number => part.reduce((sum, point) => sum + point[axis], 0) / part.length;
  return Array.from({ length: Math.ceil(points.length / share) }, (_, i) => {
    const part = points.slice(i * share, (i + 1) * share);
    return [mean(part, 0), mean(part, 1)] as const;
  });
}

function drawLine(points: CurveLine["points"], colour: string, px: (v: number) => number, py: (v: number) => number): string {
  const good = thinned(points.filter(([, y]) => Number.isFinite(y)));
  const at = good.map(([x, y]) => [coordinate(px(x)), coordinate(py(y))] as const);
  const path = `<path d="M${at.map(([x, y]) => `${x} ${y}`).join("L")}" fill="none" stroke="${colour}" stroke-width="1.8" stroke-linejoin="round"/>`;
  // Few points are epochs: each gets a dot.
  const dots = at.length <= 40 ? at.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="2.6" fill="${colour}"/>`) : [];
  return at.length === 0 ? "" : [path, ...dots].join("");
}

interface Axis {
  readonly logarithmic: boolean;
  readonly ticks: readonly number[];
  /** 0 at the bottom, 1 at the top. */
  place(value: number): number;
}

function axis(values: readonly number[], scale: CurvePanel["scale"]): Axis {
  const [low, high] = range(values);
  if (scale !== "linear" && low > 0 && high / low > 30) {
    const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
    const ticks = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
    return { logarithmic: true, ticks, place: (v) => (Math.log10(v) - from) / (to - from) };
  }
  const ticks = axisBetween(low, high, true);
  const [from, to] = [ticks[0]!, ticks.at(-1)!];
  return { logarithmic: false, ticks, place: (v) => (v - from) / (to - from) };
}

/** Round numbers between two values; `cover` adds one at each end so that both lie within. */
function axisBetween(low: number, high: number, cover = false): number[] {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough)!;
  const first = (cover ? Math.floor : Math.ceil)(low / step);
  const last = Math.max(first + 1, (cover ? Math.ceil : Math.floor)(high / step));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

const number = (v: number): string => (v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e6) ? v.toExponential(0) : String(v));

/**
 * Fig. 6.1 of Goodfellow, Bengio and Courville 2016 for any network with one hidden layer: the four points in the plane of the inputs and in
 * the space of the hidden units, with the answers of the network behind them.
 */

export type Pair = readonly [x: number, y: number];

/** f(x) = v · g(Wx + c) + b; above `threshold` the answer is 1. */
export interface HiddenLayerNet {
  /** A row per hidden unit. */
  readonly W: readonly (readonly number[])[];
  readonly c: readonly number[];
  readonly g: (x: number) => number;
  readonly v: readonly number[];
  readonly b: number;
  readonly threshold: number;
}

/** A row of the picture: a network, and how it came about. */
export interface PictureRow {
  readonly title: string;
  readonly net: HiddenLayerNet;
}

const POINTS: readonly Pair[] = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
];
const TARGETS = [0, 1, 1, 0];

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const length = (a: readonly number[]): number => Math.sqrt(dot(a, a));

/** The hidden units' values for an input. */
export const hiddenOf = ({ W, c, g }: HiddenLayerNet, x: readonly number[]): number[] => W.map((row, i) => g(dot(row, x) + c[i]!));

/** What the network says, above 0 for the answer 1. */
export const outputOf = (net: HiddenLayerNet, x: readonly number[]): number => dot(net.v, hiddenOf(net, x)) + net.b - net.threshold;

/** Two directions in the space of the hidden units, and where the origin of the plane lies along them. */
export interface View {
  readonly across: readonly number[];
  readonly up: readonly number[];
  readonly labels: readonly [string, string];
  /** The part of the points' spread that can be seen, 0 to 1. */
  readonly seen: number;
}

/**
 * Two hidden units are shown as they are. More are seen along the output's weights v, so that each point keeps its side of the boundary and its
 * distance from it, and along the direction at a right angle to v in which the four points spread most.
 */
export function viewOf(net: HiddenLayerNet): View {
  const units = net.v.length;
  if (units === 2) return { across: [1, 0], up: [0, 1], labels: ["h₁", "h₂"], seen: 1 };
  const across = net.v.map((x) => x / (length(net.v) || 1));
  const hidden = POINTS.map((x) => hiddenOf(net, x));
  const mean = across.map((_, k) => hidden.reduce((sum, h) => sum + h[k]! / hidden.length, 0));
  const centred = hidden.map((h) => h.map((x, k) => x - mean[k]!));
  const rest = centred.map((h) => h.map((x, k) => x - dot(h, across) * across[k]!));
  const up = mainDirection(rest);
  const spread = (rows: readonly (readonly number[])[]): number => rows.reduce((sum, h) => sum + dot(h, h), 0);
  const seen = centred.reduce((sum, h) => sum + dot(h, across) ** 2 + dot(h, up) ** 2, 0) / (spread(centred) || 1);
  return { across, up, labels: ["along the output's weights", "greatest spread at a right angle"], seen };
}

/** The direction in which some rows spread most: the first principal axis, by the power method. */
function mainDirection(rows: readonly (readonly number[])[]): number[] {
  let direction = [...rows.toSorted((a, b) => dot(b, b) - dot(a, a))[0]!];
  for (let i = 0; i < 200; i++) {
    const next = direction.map((_, k) => rows.reduce((sum, row) => sum + dot(row, direction) * row[k]!, 0));
    const size = length(next);
    if (size === 0) return next;
    direction = next.map((x) => x / size);
  }
  // The sign is free: fixed, so that the same network has the same picture.
  return direction.map((x) => x * (Math.sign(direction.find((d) => Math.abs(d) > 1e-6) ?? 1) || 1));
}

const SIZE = 270;
const LEFT = [54, 434] as const;
const ROW = 378;
const COLOURS = { zero: "#0072b2", zeroGround: "#d9e8f4", one: "#d55e00", oneGround: "#fbdcc6" } as const;

/** Rows of two panels each: the plane of the inputs, and the space of the hidden units. */
export function xorPicture(rows: readonly PictureRow[]): string {
  const height = rows.length * ROW + 6;
  const body = rows.map(({ title, net }, i) => {
    const top = i * ROW;
    const name = `<text x="${LEFT[0]}" y="${top + 26}" font-size="15" font-weight="600" fill="#222">${title}</text>`;
    return [name, panel(inputPanel(net), LEFT[0], top + 58), panel(hiddenPanel(net), LEFT[1], top + 58)].join("\n");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 ${height}" width="740" height="${height}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
${body.join("\n")}
</svg>
`;
}

interface Panel {
  readonly title: string;
  readonly labels: readonly [string, string];
  /** Below the axis. */
  readonly note?: string;
  readonly points: readonly Pair[];
  readonly x: readonly [from: number, to: number];
  readonly y: readonly [from: number, to: number];
  /** Above 0 where the network answers 1. */
  readonly output: (at: Pair) => number;
}

const inputPanel = (net: HiddenLayerNet): Panel => ({
  title: "inputs: no line divides the colours",
  labels: ["x₁", "x₂"],
  points: POINTS,
  x: [-0.4, 1.4],
  y: [-0.4, 1.4],
  output: (at) => outputOf(net, at),
});

function hiddenPanel(net: HiddenLayerNet): Panel {
  const view = viewOf(net);
  const points = POINTS.map((x): Pair => {
    const h = hiddenOf(net, x);
    return [dot(h, view.across), dot(h, view.up)];
  });
  const [vx, vy] = [dot(net.v, view.across), dot(net.v, view.up)];
  const right = POINTS.filter((x, i) => outputOf(net, x) > 0 === TARGETS[i]! > 0.5).length;
  return {
    title: `${net.v.length} hidden units: ${right === 4 ? "one line does" : `${right} of 4 on their side`}`,
    labels: view.labels,
    note: view.seen > 0.995 ? "" : `${Math.round(100 * view.seen)} % of the points' spread lies in this plane`,
    points,
    ...window(points),
    output: ([x, y]) => vx * x + vy * y + net.b - net.threshold,
  };
}

/** The points with room around them, at the same scale both ways. */
function window(points: readonly Pair[]): Pick<Panel, "x" | "y"> {
  const range = (axis: 0 | 1): Pair => [Math.min(...points.map((p) => p[axis])), Math.max(...points.map((p) => p[axis]))];
  const [x, y] = [range(0), range(1)];
  const half = 0.72 * Math.max(x[1] - x[0], y[1] - y[0], 0.1);
  const around = ([from, to]: Pair): Pair => [(from + to) / 2 - half, (from + to) / 2 + half];
  return { x: around(x), y: around(y) };
}

const tidy = (x: number): string => String(Math.round(x * 10) / 10);

function panel({ title, labels, note = "", points, x, y, output }: Panel, left: number, top: number): string {
  const px = (v: number): number => left + ((v - x[0]) / (x[1] - x[0])) * SIZE;
  const py = (v: number): number => top + (1 - (v - y[0]) / (y[1] - y[0])) * SIZE;
  const answer = (across: number, down: number): number =>
    output([x[0] + (across / SIZE) * (x[1] - x[0]), y[1] - (down / SIZE) * (y[1] - y[0])]);
  const frame = `x="${left}" y="${top}" width="${SIZE}" height="${SIZE}"`;
  const middle = top + SIZE / 2;
  return [
    `<text x="${left}" y="${top - 9}" fill="#222">${title}</text>`,
    `<rect ${frame} fill="${COLOURS.zeroGround}"/>`,
    `<path d="${regions(answer, left, top)}" fill="${COLOURS.oneGround}"/>`,
    `<path d="${boundary(answer, left, top)}" stroke="#222" stroke-width="1.6" stroke-linecap="round"/>`,
    `<rect ${frame} fill="none" stroke="#999"/>`,
    `<text x="${left + SIZE / 2}" y="${top + SIZE + 18}" text-anchor="middle" fill="#444">${labels[0]}</text>`,
    ...(note
      ? [`<text x="${left + SIZE / 2}" y="${top + SIZE + 34}" text-anchor="middle" fill="#777" font-size="11.5">${note}</text>`]
      : []),
    `<text transform="translate(${left - 10} ${middle}) rotate(-90)" text-anchor="middle" fill="#444">${labels[1]}</text>`,
    ...dots(points, px, py),
  ].join("\n");
}

const STRIP = 2;

/** Where the answer is 1: strips between the places where it changes. */
function regions(answer: (across: number, down: number) => number, left: number, top: number): string {
  const parts: string[] = [];
  for (let down = 0; down < SIZE; down += STRIP) {
    const middle = down + STRIP / 2;
    const ends = crossings((t) => answer(t, middle));
    const edges = [...(answer(0, middle) > 0 ? [0] : []), ...ends, SIZE];
    for (let i = 0; i + 1 < edges.length; i += 2)
      parts.push(`M${tidy(left + edges[i]!)} ${top + down}H${tidy(left + edges[i + 1]!)}v${STRIP}H${tidy(left + edges[i]!)}Z`);
  }
  return parts.join("");
}

/** Where the answer changes: short pieces of the curve, one or two for each cell of a grid it runs through ("marching squares"). */
function boundary(answer: (across: number, down: number) => number, left: number, top: number): string {
  const cell = 6;
  const parts: string[] = [];
  for (let down = 0; down < SIZE; down += cell)
    for (let across = 0; across < SIZE; across += cell) {
      const corners = [
        [0, 0],
        [cell, 0],
        [cell, cell],
        [0, cell],
      ].map(([a, d]) => [across + a!, down + d!] as const);
      const values = corners.map(([a, d]) => answer(a, d));
      const cuts = corners.flatMap(([a, d], i) => {
        const [u, v] = [values[i]!, values[(i + 1) % 4]!];
        const [a2, d2] = corners[(i + 1) % 4]!;
        const t = u / (u - v);
        return u > 0 === v > 0 ? [] : [`${tidy(left + a + t * (a2 - a))} ${tidy(top + d + t * (d2 - d))}`];
      });
      for (let i = 0; i + 1 < cuts.length; i += 2) parts.push(`M${cuts[i]}L${cuts[i + 1]}`);
    }
  return parts.join("");
}

/** Zeros of a function between 0 and `SIZE`, by lines between its values at every second place. */
function crossings(f: (t: number) => number): number[] {
  const found: number[] = [];
  for (let t = 0; t < SIZE; t += 2) {
    const [u, v] = [f(t), f(t + 2)];
    if (u > 0 !== v > 0) found.push(t + (2 * u) / (u - v));
  }
  return found;
}

/** The points with their answers, and which input each is. Inputs that fall on one point share it: grey if they should have had two answers. */
function dots(points: readonly Pair[], px: (v: number) => number, py: (v: number) => number): string[] {
  const shared = new Map<string, Dot>();
  points.forEach((point, i) => {
    const at: Pair = [px(point[0]), py(point[1])];
    const key = at.map((v) => Math.round(v / 4)).join();
    const kept: Dot = shared.get(key) ?? { at, answers: new Set(), from: [] };
    kept.answers.add(TARGETS[i]!);
    kept.from.push(POINTS[i]!.join(""));
    shared.set(key, kept);
  });
  const dotAt = ({ at: [x, y], answers }: Dot): string[] => {
    const colour = answers.size > 1 ? "#666" : answers.has(1) ? COLOURS.one : COLOURS.zero;
    return [
      `<circle cx="${tidy(x)}" cy="${tidy(y)}" r="${RADIUS}" fill="${colour}" stroke="#fff" stroke-width="1.5"/>`,
      `<text x="${tidy(x)}" y="${tidy(y + 4.5)}" text-anchor="middle" fill="#fff" font-weight="600">${[...answers].join("")}</text>`,
    ];
  };
  // From left to right, so that of dots that overlap the right one lies above, and one label beside it is for all.
  const all = [...shared.values()].sort((a, b) => a.at[0] - b.at[0]);
  const labels = all.flatMap((dot, i) => {
    const touching = (other: Dot): boolean => Math.hypot(dot.at[0] - other.at[0], dot.at[1] - other.at[1]) < 2 * RADIUS;
    if (all.slice(i + 1).some(touching)) return [];
    const from = all
      .slice(0, i + 1)
      .filter(touching)
      .flatMap((other) => other.from);
    return [`<text x="${tidy(dot.at[0] + 14)}" y="${tidy(dot.at[1] - 9)}" fill="#222">${from.join(", ")}</text>`];
  });
  return [...all.flatMap(dotAt), ...labels];
}

const RADIUS = 11;

interface Dot {
  readonly at: Pair;
  readonly answers: Set<number>;
  /** The inputs that lie there. */
  readonly from: string[];
}

/** The weights of the book, found by thinking (Goodfellow, Bengio and Courville 2016, section 6.1). Above one half the answer is 1. */
export const TEXTBOOK: HiddenLayerNet = {
  W: [
    [1, 1],
    [1, 1],
  ],
  c: [0, -1],
  g: (x) => Math.max(0, x),
  v: [1, -2],
  b: 0,
  threshold: 0.5,
};

/** The little that the course's drawings need of SVG: panels with axes, curves, paths, and text. White ground, so that they read in the dark too. */

export type Point = readonly [x: number, y: number];

/** Colours that also differ for the colour-blind (Okabe and Ito 2008). */
export const COLOURS = { blue: "#0072b2", orange: "#d55e00", green: "#009e73", pink: "#b5578f", grey: "#888888" } as const;

export const picture = (width: number, height: number, body: readonly string[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="13">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...body,
    "</svg>",
    "",
  ].join("\n");

/** A window onto a part of the plane: from numbers to places. */
export interface Panel {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: readonly [from: number, to: number];
  readonly y: readonly [from: number, to: number];
}

const tidy = (v: number): string => String(Math.round(v * 10) / 10);

export const placeX = ({ left, width, x }: Panel, v: number): string => tidy(left + ((v - x[0]) / (x[1] - x[0])) * width);
export const placeY = ({ top, height, y }: Panel, v: number): string => tidy(top + (1 - (v - y[0]) / (y[1] - y[0])) * height);

export const text = (x: number | string, y: number | string, words: string, more = ""): string =>
  `<text x="${x}" y="${y}" fill="#222"${more && ` ${more}`}>${words.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`)}</text>`;

export const heading = (panel: Panel, words: string): string => text(panel.left, panel.top - 9, words, 'font-weight="600"');

/** Lines at the ticks, with their numbers; the lines through 0 are darker. */
export function axes(panel: Panel, ticksX: readonly number[], ticksY: readonly number[]): string {
  const { left, top, width, height } = panel;
  const stroke = (v: number): string => (v === 0 ? "#999" : "#e6e6e6");
  return [
    ...ticksX.map((v) => `<path d="M${placeX(panel, v)} ${top}v${height}" stroke="${stroke(v)}"/>${text(placeX(panel, v), top + height + 17, String(v), 'text-anchor="middle" fill-opacity="0.7"')}`),
    ...ticksY.map((v) => `<path d="M${left} ${placeY(panel, v)}h${width}" stroke="${stroke(v)}"/>${text(left - 7, placeY(panel, v), String(v), 'dy="4" text-anchor="end" fill-opacity="0.7"')}`),
  ].join("\n");
}

/** A line through points; what leaves the panel is cut off where it is wrapped in `inside`. */
export const line = (panel: Panel, points: readonly Point[], colour: string, more = ""): string =>
  `<path d="M${points.map(([x, y]) => `${placeX(panel, x)} ${placeY(panel, y)}`).join("L")}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"${more && ` ${more}`}/>`;

export const dots = (panel: Panel, points: readonly Point[], colour: string, radius = 3): string =>
  points.map(([x, y]) => `<circle cx="${placeX(panel, x)}" cy="${placeY(panel, y)}" r="${radius}" fill="${colour}"/>`).join("");

/** Only what lies in the panel, which no other of the picture starts at the same place. */
export function inside(panel: Panel, body: string): string {
  const { left, top, width, height } = panel;
  const id = `inside-${left}-${top}`;
  return `<clipPath id="${id}"><rect x="${left}" y="${top}" width="${width}" height="${height}"/></clipPath>\n<g clip-path="url(#${id})">\n${body}\n</g>`;
}

/** The names of curves, each beside a stroke of its colour, one below the other. */
export const legend = (x: number, y: number, entries: readonly (readonly [name: string, colour: string])[]): string =>
  entries.map(([name, colour], i) => `<path d="M${x} ${y + i * 19}h20" stroke="${colour}" stroke-width="2.5"/>${text(x + 27, y + i * 19 + 4, name)}`).join("\n");

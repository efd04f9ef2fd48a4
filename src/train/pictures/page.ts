/** A picture made of parts below each other: rows of images with captions, a title, a note. SVG without script. */
import { dataUrl, type Pixels, placed, resized } from "./pixels.ts";

export const WIDTH = 720;
const MARGIN = 20;
/** Of what is wrong; differs from the text for the colour-blind too. */
export const WRONG = "#d55e00";

/** A part of a picture, as high as it says. */
export interface Part {
  readonly height: number;
  /** SVG, from its own top. */
  readonly body: string;
}

export const inXml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export const textAt = (x: number, y: number, words: string, more = ""): string =>
  `<text x="${tidy(x)}" y="${tidy(y)}"${more && ` ${more}`}>${inXml(words)}</text>`;

export const tidy = (x: number): string => String(Math.round(x * 10) / 10);

/** The parts, under a title. */
export async function pageOf(title: string, parts: readonly (Part | Promise<Part>)[]): Promise<string> {
  let top = 40;
  const body = (await Promise.all(parts)).map((part) => {
    const drawn = `<g transform="translate(0 ${tidy(top)})">${part.body}</g>`;
    top += part.height;
    return drawn;
  });
  const height = Math.ceil(top + 12);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>${textAt(MARGIN, 25, title, 'font-size="15" font-weight="600" fill="#222"')}`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

/** A line above what follows. */
export const heading = (words: string, note = ""): Part => ({
  height: 26,
  body: `${textAt(MARGIN, 16, words, 'font-weight="600" fill="#333"')}${note && textAt(WIDTH - MARGIN, 16, note, 'text-anchor="end" fill="#666"')}`,
});

export const paragraph = (words: string): Part => ({ height: 20, body: textAt(MARGIN, 13, words, 'fill="#555"') });

/** An image of a grid, and what is written below it. */
export interface Tile {
  readonly image: Pixels;
  /** Lines below it. */
  readonly caption?: readonly string[];
  readonly wrong?: boolean;
}

export interface GridOptions {
  readonly columns: number;
  /** About how wide an image is shown. */
  readonly size: number;
  readonly gap?: number;
}

const LINE = 14;

/** Images in rows, one PNG in all, with captions and the wrong ones framed. All images have the size of the first. */
export async function grid(tiles: readonly Tile[], { columns, size, gap = 8 }: GridOptions): Promise<Part> {
  if (tiles.length === 0) return { height: 0, body: "" };
  const shown = tiles.map(({ image }) => resized(image, size));
  const { width, height } = shown[0]!;
  const lines = Math.max(...tiles.map(({ caption = [] }) => caption.length));
  // A column is as wide as its share of the page where there are captions, as its image where there are none.
  const step = lines > 0 ? (WIDTH - 2 * MARGIN) / columns : width + gap;
  const rowHeight = height + gap + lines * LINE;
  const places = shown.map((image, i) => ({
    x: Math.floor((i % columns) * step + (lines > 0 ? (step - width) / 2 : 0)),
    y: Math.floor(i / columns) * rowHeight,
    image,
  }));
  const rows = Math.ceil(tiles.length / columns);
  const all = placed(Math.max(...places.map(({ x }) => x)) + width, (rows - 1) * rowHeight + height, places);
  const words = tiles.map(({ caption = [], wrong }, i) => {
    const { x, y } = places[i]!;
    const middle = MARGIN + x + width / 2;
    const frame = wrong
      ? `<rect x="${MARGIN + x - 2}" y="${y + 2}" width="${width + 4}" height="${height + 4}" fill="none" stroke="${WRONG}" stroke-width="3"/>`
      : "";
    const written = caption.map((line, k) =>
      textAt(
        middle,
        y + 4 + height + (k + 1) * LINE,
        line,
        `text-anchor="middle" fill="${wrong ? WRONG : "#333"}"${wrong && k === 0 ? ' font-weight="600"' : ""}`,
      ),
    );
    return frame + written.join("");
  });
  return {
    height: rows * rowHeight + 8,
    body: `<image x="${MARGIN}" y="4" width="${all.width}" height="${all.height}" style="image-rendering:pixelated" href="${await dataUrl(all)}"/>${words.join("")}`,
  };
}

/** As many images as fit beside each other; of a known number of them so many that all rows are about as long. */
export function columnsFor(width: number, gap: number, count = Number.POSITIVE_INFINITY): number {
  const most = Math.max(1, Math.floor((WIDTH - 2 * MARGIN + gap) / (width + gap)));
  return Number.isFinite(count) ? Math.max(1, Math.ceil(count / Math.ceil(count / most))) : most;
}

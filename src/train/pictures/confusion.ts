import { grid, inXml, type Part, pageOf, paragraph, textAt, tidy, WIDTH, WRONG } from "./page.ts";
import { plane } from "./pixels.ts";
import type { Confusion } from "./survey.ts";

/** Beyond this many classes cells are too small for numbers and names. */
const MOST_NAMED = 30;
const RIGHT = "#0072b2";

/** How often each class was taken for each: rows are true, columns predicted. Below it, what was confused most. */
export function confusionPicture(name: string, { counts, classes }: Confusion, examples: string): Promise<string> {
  const n = classes.length;
  const right = classes.reduce((sum, _, k) => sum + counts[k * n + k]!, 0);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const title = `${name}: ${right.toLocaleString("en-US")} of ${all.toLocaleString("en-US")} right (${((100 * right) / all).toFixed(2)} %)`;
  const body =
    n <= MOST_NAMED
      ? [cells({ counts, classes })]
      : [paragraph("rows: true class, columns: predicted class; the darker, the larger the share of its row"), dots({ counts, classes })];
  return pageOf(title, [paragraph(examples), ...body, ...mostConfused({ counts, classes })]);
}

const rowSums = ({ counts, classes }: Confusion): number[] =>
  classes.map((_, row) => counts.subarray(row * classes.length, (row + 1) * classes.length).reduce((sum, count) => sum + count, 0));

function cells({ counts, classes }: Confusion): Part {
  const n = classes.length;
  const names = Math.min(150, 16 + 7 * Math.max(...classes.map((name) => name.length)));
  const left = Math.max(64, names + 24);
  const size = Math.min(56, (WIDTH - left - 90) / n);
  const slanted = classes.some((name) => 7 * name.length > size);
  const top = slanted ? names * 0.75 + 26 : 44;
  const sums = rowSums({ counts, classes });
  const font = Math.min(13, size * 0.34);
  const drawn = classes.flatMap((_, row) =>
    classes.map((_, column) => {
      const count = counts[row * n + column]!;
      const share = count / (sums[row] || 1);
      // Few confusions are to be seen too: the root of a share is darker than the share.
      const depth = count === 0 ? 0 : row === column ? 0.15 + 0.85 * share : 0.12 + 0.88 * Math.sqrt(share);
      const [x, y] = [left + column * size, top + row * size];
      const ink = depth > 0.55 ? "#fff" : count === 0 ? "#bbb" : "#222";
      const number = textAt(
        x + size / 2,
        y + size / 2 + font * 0.36,
        count === 0 ? "·" : String(count),
        `text-anchor="middle" font-size="${tidy(font)}" fill="${ink}"`,
      );
      return `<rect x="${tidy(x)}" y="${tidy(y)}" width="${tidy(size)}" height="${tidy(size)}" fill="${row === column ? RIGHT : WRONG}" fill-opacity="${depth.toFixed(2)}" stroke="#e4e4e4"/>${number}`;
    }),
  );
  const labels = classes.flatMap((name, k) => {
    const [x, y] = [left + (k + 0.5) * size, top + (k + 0.5) * size + 4];
    const turned = `transform="translate(${tidy(x - 4)} ${tidy(top - 8)}) rotate(-45)" fill="#333"`;
    return [
      textAt(left - 8, y, name, 'text-anchor="end" fill="#333"'),
      slanted ? `<text ${turned}>${inXml(name)}</text>` : textAt(x, top - 8, name, 'text-anchor="middle" fill="#333"'),
      textAt(
        left + n * size + 8,
        y,
        sums[k] === 0 ? "" : `${((100 * counts[k * n + k]!) / sums[k]!).toFixed(1)} %`,
        'fill="#777" font-size="11"',
      ),
    ];
  });
  const middle = top + (n * size) / 2;
  const axes = [
    textAt(left + (n * size) / 2, 14, "predicted", 'text-anchor="middle" fill="#333" font-weight="600"'),
    `<text transform="translate(18 ${tidy(middle)}) rotate(-90)" text-anchor="middle" fill="#333" font-weight="600">true</text>`,
    textAt(left + n * size + 8, top - 8, "found", 'fill="#777" font-size="11"'),
  ];
  return { height: top + n * size + 14, body: [...drawn, ...labels, ...axes].join("") };
}

/** Many classes as an image, a pixel or more for each pair. */
function dots({ counts, classes }: Confusion): Promise<Part> {
  const n = classes.length;
  const sums = rowSums({ counts, classes });
  const image = plane(
    counts.map((count, i) => Math.sqrt(count / (sums[Math.floor(i / n)] || 1))),
    n,
    n,
    (share) => {
      const grey = 255 * (1 - share);
      return [grey, grey, grey];
    },
  );
  return grid([{ image }], { columns: 1, size: Math.min(WIDTH - 60, Math.max(1, Math.floor(600 / n)) * n) });
}

const MOST_LISTED = 5;

function mostConfused({ counts, classes }: Confusion): Part[] {
  const n = classes.length;
  const pairs = Array.from(counts, (count, i) => ({ count, row: Math.floor(i / n), column: i % n }))
    .filter(({ count, row, column }) => count > 0 && row !== column)
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST_LISTED);
  if (pairs.length === 0) return [paragraph("Nothing was confused.")];
  const lines = pairs.map(({ count, row, column }) =>
    paragraph(`${classes[row]} taken for ${classes[column]}: ${count} ${count === 1 ? "time" : "times"}`),
  );
  return [{ height: 6, body: "" }, ...lines];
}

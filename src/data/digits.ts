import { ArgumentError } from "../core/errors.ts";
import type { HostRandom } from "./random.ts";
import { type Point, STROKES } from "./strokes.ts";

/** Pixels along each side, as in MNIST. */
export const SIDE = 28;

/** How far a drawing strays from its pattern; each is a standard deviation or a range. */
const HAND = {
  /** Jitter of every point of the pattern, in parts of the box. */
  wobble: 0.018,
  /** Bending of the paper: amplitude of the waves, in parts of the box. */
  bend: 0.022,
  /** Rotation in radians. */
  rotation: 0.11,
  shear: 0.16,
  /** Width and height of the box in pixels. */
  width: [12.5, 19],
  height: [17, 22],
  /** Shift of the centre in pixels. */
  shift: 1.45,
  /** Half of the pen's width in pixels. */
  pen: [0.85, 1.8],
  /** Pixels over which ink fades to paper. */
  edge: [0.9, 1.7],
  ink: [0.75, 1],
  noise: 0.02,
} as const;

export interface DigitImages {
  /** [count, 28, 28] grey values, 0 paper, 255 ink. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/**
 * Handwritten-like digits: one of several drawings per digit, its points jittered, bent, sheared, turned, scaled and shifted, then drawn with
 * a pen of some width and a grey noise. Classes are as equal in number as they can be, in random order. The same seed gives the same bytes.
 */
export function drawDigits(count: number, random: HostRandom): DigitImages {
  if (!Number.isSafeInteger(count) || count < 1 || count > 1_000_000)
    throw new ArgumentError(`digits: ${count} images`, { help: "a whole number from 1 to 1,000,000" });
  const order = random.shuffle(Uint32Array.from({ length: count }, (_, i) => i % 10));
  const images = new Uint8Array(count * SIDE * SIDE);
  const page = new Float32Array(SIDE * SIDE);
  order.forEach((digit, i) => {
    drawOne(digit, random, page);
    images.set(page, i * SIDE * SIDE);
  });
  return { images, labels: Uint8Array.from(order) };
}

function drawOne(digit: number, random: HostRandom, page: Float32Array): void {
  const drawings = STROKES[digit]!;
  const drawing = drawings[random.below(drawings.length)]!;
  const place = handOf(random);
  const pen = random.uniform(...HAND.pen);
  const edge = random.uniform(...HAND.edge);
  page.fill(Number.POSITIVE_INFINITY);
  for (const stroke of drawing) {
    // A corner belongs to two pieces and must move once.
    let corner: Point | undefined;
    for (const piece of stroke) {
      const moved = piece.map((point, i) => (i === 0 && corner ? corner : jitter(point, random)));
      corner = moved.at(-1)!;
      ink(curve(moved).map(place), pen + edge, page);
    }
  }
  develop(page, { pen, edge, ink: random.uniform(...HAND.ink) }, random);
}

const jitter = ({ x, y }: Point, random: HostRandom): Point => ({
  x: x + random.normal(0, HAND.wobble),
  y: y + random.normal(0, HAND.wobble),
});

/** The map from the box to pixels that one drawing has: bend, then shear, rotation, scale and shift. */
function handOf(random: HostRandom): (point: Point) => Point {
  const wave = (): { amplitude: number; x: number; y: number; phase: number } => ({
    amplitude: random.normal(0, HAND.bend),
    x: random.uniform(2, 6),
    y: random.uniform(2, 6),
    phase: random.uniform(0, 2 * Math.PI),
  });
  const waves = [wave(), wave()] as const;
  const bend = ({ amplitude, x, y, phase }: ReturnType<typeof wave>, at: Point): number =>
    amplitude * Math.sin(x * at.x + y * at.y + phase);
  const angle = random.normal(0, HAND.rotation);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const shear = random.normal(0.08, HAND.shear);
  const [width, height] = [random.uniform(...HAND.width), random.uniform(...HAND.height)];
  const centre = { x: SIDE / 2 + random.normal(0, HAND.shift), y: SIDE / 2 + random.normal(0, HAND.shift) };
  return (point) => {
    const x = (point.x - 0.5 + bend(waves[0], point)) * width;
    const y = (point.y - 0.5 + bend(waves[1], point)) * height;
    const slanted = x - shear * y;
    return { x: centre.x + cos * slanted - sin * y, y: centre.y + sin * slanted + cos * y };
  };
}

/** Points of a smooth curve through the given ones: a Catmull-Rom spline, four steps between two points. */
function curve(points: readonly Point[]): Point[] {
  if (points.length === 2) return [...points];
  const steps = 4;
  const out: Point[] = [];
  for (let i = 0; i + 1 < points.length; i++) {
    const [a, b, c, d] = [points[i - 1] ?? points[i]!, points[i]!, points[i + 1]!, points[i + 2] ?? points[i + 1]!];
    for (let k = 0; k < steps; k++) out.push({ x: spline(a.x, b.x, c.x, d.x, k / steps), y: spline(a.y, b.y, c.y, d.y, k / steps) });
  }
  out.push(points.at(-1)!);
  return out;
}

const spline = (a: number, b: number, c: number, d: number, t: number): number =>
  b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));

/** Lowers every pixel near the line to its squared distance from it. Pixel (i, j) has its centre at (i + ½, j + ½). */
function ink(line: readonly Point[], reach: number, page: Float32Array): void {
  for (let k = 0; k + 1 < line.length; k++) {
    const a = line[k]!;
    const b = line[k + 1]!;
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const length = dx * dx + dy * dy || 1e-9;
    const left = Math.max(0, Math.floor(Math.min(a.x, b.x) - reach));
    const right = Math.min(SIDE - 1, Math.ceil(Math.max(a.x, b.x) + reach));
    const top = Math.max(0, Math.floor(Math.min(a.y, b.y) - reach));
    const bottom = Math.min(SIDE - 1, Math.ceil(Math.max(a.y, b.y) + reach));
    for (let row = top; row <= bottom; row++)
      for (let column = left; column <= right; column++) {
        const x = column + 0.5 - a.x;
        const y = row + 0.5 - a.y;
        const along = Math.min(1, Math.max(0, (x * dx + y * dy) / length));
        const distance = (x - along * dx) ** 2 + (y - along * dy) ** 2;
        if (distance < page[row * SIDE + column]!) page[row * SIDE + column] = distance;
      }
  }
}

/** Squared distances → grey values: full ink within the pen, a smooth fall over the edge, noise. */
function develop(page: Float32Array, look: { pen: number; edge: number; ink: number }, random: HostRandom): void {
  for (let i = 0; i < page.length; i++) {
    const far = page[i]!;
    // Most of a page is far from any line, and a root is slow.
    const t = far === Number.POSITIVE_INFINITY ? 0 : Math.min(1, Math.max(0, (look.pen + look.edge / 2 - Math.sqrt(far)) / look.edge));
    const grain = (random.uniform() + random.uniform() + random.uniform() - 1.5) * 2 * HAND.noise;
    page[i] = Math.round(255 * Math.min(1, Math.max(0, look.ink * t * t * (3 - 2 * t) + grain)));
  }
}

/** A smoothed sensor, and the filters of a maxout unit. */
import { convolve, Generator, linspace, tensor } from "gradus";
import { ArrayDataset, digits } from "gradus/data";
import { bceWithLogits, Flatten, init, Linear, Maxout, rotate, Sequential } from "gradus/nn";
import { adam } from "gradus/optim";
import { fit } from "gradus/train";
import { dataUrl, mostOf, plane, signed } from "../../src/train/pictures/pixels.ts";
import { axes, COLOURS, dots, heading, inside, legend, line, type Panel, picture, type Point, text } from "./svg.ts";

/** Measurements of section 4.1, the truth, and the measurements convolved with a bump. */
export async function smoothingPicture(): Promise<string> {
  const time = linspace(0, 6, 200);
  const truth = time.sin();
  const measured = truth.add(new Generator(1).normal([200], 0, 0.3));
  const smoothed = convolve(measured, tensor([1, 2, 3, 4, 5, 4, 3, 2, 1]).div(25), "same");
  const [at, ...curves] = await Promise.all([time, truth, measured, smoothed].map((t) => t.data()));
  const [true_, noisy, smooth] = curves.map((values) => Array.from(values, (v, i): Point => [at![i]!, v])) as [Point[], Point[], Point[]];
  const panel: Panel = { left: 46, top: 44, width: 680, height: 250, x: [0, 6], y: [-1.8, 1.8] };
  const drawn = [dots(panel, noisy, COLOURS.grey, 2), line(panel, true_, COLOURS.green, 'stroke-dasharray="5 3"'), line(panel, smooth, COLOURS.blue)];
  const names = [["measured", COLOURS.grey], ["smoothed", COLOURS.blue], ["truth", COLOURS.green]] as const;
  return picture(750, 330, [heading(panel, "where the spaceship is, by time"), axes(panel, [0, 1, 2, 3, 4, 5, 6], [-1, 0, 1]), inside(panel, drawn.join("\n")), legend(610, 62, names)]);
}

const PIECES = 6;
const SIDE = 28;

/** The digits of section 4.7, turned by an angle of their own: is it a 5? */
async function turnedDigits(): Promise<ArrayDataset> {
  const all = await digits({ count: 4000 });
  const labels = await all.gather(all.rows).y.data();
  const fives = [...labels.keys()].filter((i) => labels[i] === 5);
  const others = [...labels.keys()].filter((i) => labels[i] !== 5).slice(0, fives.length);
  const rows = Uint32Array.from([...fives, ...others].sort((a, b) => a - b));
  const turned = rotate(all.gather(rows).x.reshape([-1, 1, SIDE, SIDE]), new Generator(0).uniform([rows.length], -180, 180));
  return new ArrayDataset({ data: await turned.data(), shape: [1, SIDE, SIDE] }, { data: Float32Array.from(rows, (row) => (labels[row] === 5 ? 1 : 0)), shape: [1] });
}

/** Which filter of a maxout unit answers most to a 5 at each of 72 angles: a dial for each filter. */
export async function maxoutPicture(): Promise<string> {
  const linear = new Linear(SIDE * SIDE, PIECES);
  const model = init(new Sequential(new Flatten(), linear, new Maxout(PIECES)), 0);
  await fit(model, await turnedDigits(), { loss: bceWithLogits, optimizer: adam(model.parameters(), { lr: 0.003 }), epochs: 60, rng: 0 });
  const angles = Array.from({ length: 72 }, (_, i) => 5 * i);
  const test = await digits({ train: false, count: 400 });
  const { y } = test.gather(test.rows);
  const labels = await y.data();
  const fives = Uint32Array.from([...labels.keys()].filter((i) => labels[i] === 5));
  const images = test.gather(fives).x.reshape([-1, 1, SIDE, SIDE]);
  // [filters, angles]: how often a filter was the one that answered.
  const share = Array.from({ length: PIECES }, () => new Array<number>(angles.length).fill(0));
  for (const [k, angle] of angles.entries()) {
    const winners = await linear.forward(rotate(images, angle).flatten(1)).argmax(-1).data();
    for (const winner of winners) share[winner]![k]! += 1 / winners.length;
  }
  const weights = await linear.weight.data();
  const body = await Promise.all(share.map((row, i) => dial(weights.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), row, i)));
  const columns = Math.ceil(PIECES / 2);
  return picture(columns * 200 + 20, 460, [text(16, 24, "Six filters of one unit, and how often each answers most to a 5 turned by so much", 'font-weight="600"'), ...body]);
}

/** The filter in the middle of a circle; around it, as far out as the share goes, how often it answers at each angle. */
async function dial(weights: ArrayLike<number>, share: readonly number[], place: number): Promise<string> {
  const columns = Math.ceil(PIECES / 2);
  const [cx, cy, inner, outer] = [110 + (place % columns) * 200, 136 + Math.floor(place / columns) * 206, 52, 94];
  const image = dataUrl(plane(weights, SIDE, SIDE, signed(mostOf(weights))));
  const point = (angle: number, radius: number): string => {
    const a = (-angle * Math.PI) / 180 - Math.PI / 2;
    return `${(cx + radius * Math.cos(a)).toFixed(1)} ${(cy + radius * Math.sin(a)).toFixed(1)}`;
  };
  const path = share.map((v, k) => point(5 * k, inner + v * (outer - inner)));
  return [
    `<circle cx="${cx}" cy="${cy}" r="${outer}" fill="none" stroke="#e4e4e4"/>`,
    `<path d="M${path.join("L")}Z" fill="${COLOURS.green}" fill-opacity="0.25" stroke="${COLOURS.green}"/>`,
    `<circle cx="${cx}" cy="${cy}" r="${inner}" fill="#fff" stroke="#e4e4e4"/>`,
    `<image x="${cx - 36}" y="${cy - 36}" width="72" height="72" style="image-rendering:pixelated" href="${image}"/>`,
  ].join("");
}

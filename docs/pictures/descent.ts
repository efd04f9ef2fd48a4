/** Paths of optimisers in the bowl ½ x² + 5 y². */
import { compile, tensor, variable } from "gradus";
import { adam, type Optimizer, rmsprop, sgd } from "gradus/optim";
import { COLOURS, dots, heading, inside, line, type Panel, picture, type Point, placeX, placeY } from "./svg.ts";

const START: Point = [9, 2];

/** Where p stands before each step and after the last. */
async function pathOf(make: (p: ReturnType<typeof start>) => Optimizer, steps: number): Promise<Point[]> {
  const p = start();
  const optimizer = make(p);
  const step = compile(() => optimizer.minimize(p.square().mul(tensor([0.5, 5])).sum()), { device: "interpreter" });
  const path: Point[] = [START];
  for (let i = 0; i < steps; i++) {
    step();
    const [x, y] = await p.data();
    path.push([x!, y!]);
  }
  return path;
}
const start = () => variable([START[0], START[1]], { name: "p" });

/** Level lines at levels that double. */
const levels = (panel: Panel): string =>
  [0.5, 1, 2, 4, 8, 16, 32, 64, 128]
    .map((level) => {
      const [rx, ry] = [Math.sqrt(2 * level), Math.sqrt(level / 5)];
      const width = Number(placeX(panel, rx)) - Number(placeX(panel, 0));
      const height = Number(placeY(panel, 0)) - Number(placeY(panel, ry));
      return `<ellipse cx="${placeX(panel, 0)}" cy="${placeY(panel, 0)}" rx="${width.toFixed(1)}" ry="${height.toFixed(1)}" fill="none" stroke="#d4d4d4"/>`;
    })
    .join("");

function bowl(panel: Panel, title: string, path: readonly Point[], colour: string): string {
  const body = [levels(panel), line(panel, path, colour, 'stroke-opacity="0.55"'), dots(panel, path, colour), dots(panel, [[0, 0]], "#222", 2.5)].join("\n");
  const frame = `<rect x="${panel.left}" y="${panel.top}" width="${panel.width}" height="${panel.height}" fill="none" stroke="#bbb"/>`;
  return [heading(panel, title), inside(panel, body), frame].join("\n");
}

const X = [-3.5, 10] as const;
const Y = [-2.7, 2.7] as const;

/** Gradient descent at three learning rates. */
export async function descentPicture(): Promise<string> {
  const cases = [
    [0.02, 30, "ε = 0.02, 30 steps: safe, and slow", COLOURS.blue],
    [0.15, 30, "ε = 0.15, 30 steps: from wall to wall, but ever lower", COLOURS.green],
    [0.21, 8, "ε = 0.21, 8 steps: each bounce is higher than the one before", COLOURS.orange],
  ] as const;
  const panels = await Promise.all(
    cases.map(async ([lr, steps, title, colour], i) => {
      const panel: Panel = { left: 20, top: 34 + i * 250, width: 540, height: 216, x: X, y: Y };
      return bowl(panel, title, await pathOf((p) => sgd([p], { lr }), steps), colour);
    }),
  );
  return picture(580, 34 + 3 * 250 - 14, panels);
}

/** Four rules from the same start. */
export async function optimizersPicture(): Promise<string> {
  const rules: readonly (readonly [string, string, (p: ReturnType<typeof start>) => Optimizer])[] = [
    ["gradient descent, η = 0.02", COLOURS.blue, (p) => sgd([p], { lr: 0.02 })],
    ["momentum, η = 0.02, μ = 0.8", COLOURS.green, (p) => sgd([p], { lr: 0.02, momentum: 0.8 })],
    ["RMSProp, η = 0.15", COLOURS.orange, (p) => rmsprop([p], { lr: 0.15 })],
    ["Adam, η = 0.5", COLOURS.pink, (p) => adam([p], { lr: 0.5 })],
  ];
  const panels = await Promise.all(
    rules.map(async ([title, colour, make], i) => {
      const panel: Panel = { left: 16 + (i % 2) * 380, top: 34 + Math.floor(i / 2) * 190, width: 364, height: 146, x: X, y: Y };
      return bowl(panel, title, await pathOf(make, 60), colour);
    }),
  );
  return picture(776, 34 + 2 * 190 - 30, panels);
}

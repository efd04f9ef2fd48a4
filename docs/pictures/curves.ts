/** Curves of losses and of hidden units. */
import { grad, linspace, type Tensor, onesLike } from "gradus";
import { bceWithLogits, elu, gelu, leakyRelu, mse, relu, sigmoid, silu, softplus, tanh } from "gradus/nn";
import { axes, COLOURS, heading, inside, legend, line, type Panel, picture, type Point, text } from "./svg.ts";

/** Points (x, f(x)) for an elementwise f. */
async function curve(f: (x: Tensor) => Tensor, from: number, to: number, count = 161): Promise<Point[]> {
  const x = linspace(from, to, count);
  const [xs, ys] = await Promise.all([x.data(), f(x).data()]);
  return Array.from(xs, (v, i): Point => [v, ys[i]!]);
}
const slope = (f: (x: Tensor) => Tensor) => grad((x: Tensor) => f(x).sum());

/** Squared error against cross-entropy through a sigmoid whose answer should be 1. */
export async function saturationPicture(): Promise<string> {
  const squared = (z: Tensor): Tensor => mse(z.sigmoid(), onesLike(z), { reduction: "none" });
  const entropy = (z: Tensor): Tensor => bceWithLogits(z, onesLike(z), { reduction: "none" });
  const [low, high] = [-8, 8];
  const left: Panel = { left: 46, top: 44, width: 310, height: 230, x: [low, high], y: [0, 8] };
  const right: Panel = { left: 420, top: 44, width: 310, height: 230, x: [low, high], y: [-1.05, 0.05] };
  const both = async (panel: Panel, a: (z: Tensor) => Tensor, b: (z: Tensor) => Tensor): Promise<string> =>
    inside(panel, [line(panel, await curve(a, low, high), COLOURS.orange), line(panel, await curve(b, low, high), COLOURS.blue)].join("\n"));
  const names = [["squared error", COLOURS.orange], ["cross-entropy", COLOURS.blue]] as const;
  return picture(760, 330, [
    heading(left, "loss, if the answer should be 1"),
    axes(left, [-8, -4, 0, 4, 8], [0, 2, 4, 6, 8]),
    await both(left, squared, entropy),
    legend(220, 66, names),
    heading(right, "its gradient: what drives learning"),
    axes(right, [-8, -4, 0, 4, 8], [-1, -0.5, 0]),
    await both(right, slope(squared), slope(entropy)),
    text(left.left + 155, 318, "logit z", 'text-anchor="middle"'),
    text(right.left + 155, 318, "logit z", 'text-anchor="middle"'),
    text(right.left + 6, right.top + 80, "far wrong, yet", 'font-size="12" fill-opacity="0.75"'),
    text(right.left + 6, right.top + 95, "hardly any slope", 'font-size="12" fill-opacity="0.75"'),
  ]);
}

/** Eight hidden units, each with its slope. */
export async function hiddenUnitsPicture(): Promise<string> {
  const units: readonly (readonly [string, (x: Tensor) => Tensor])[] = [
    ["sigmoid", sigmoid],
    ["tanh", tanh],
    ["ReLU", relu],
    ["leaky ReLU (0.1)", (x) => leakyRelu(x, 0.1)],
    ["ELU", elu],
    ["softplus", softplus],
    ["GELU", gelu],
    ["SiLU", silu],
  ];
  const panels = await Promise.all(
    units.map(async ([name, unit], i) => {
      const panel: Panel = { left: 34 + (i % 4) * 190, top: 62 + Math.floor(i / 4) * 190, width: 146, height: 130, x: [-4, 4], y: [-1.3, 2.6] };
      const curves = [line(panel, await curve(slope(unit), -4, 4, 321), COLOURS.orange, 'stroke-dasharray="5 3"'), line(panel, await curve(unit, -4, 4), COLOURS.blue)];
      return [heading(panel, name), axes(panel, [-4, 0, 4], [-1, 0, 1, 2]), inside(panel, curves.join("\n"))].join("\n");
    }),
  );
  const key = `${legend(34, 20, [["unit", COLOURS.blue]])}<path d="M134 20h20" stroke="${COLOURS.orange}" stroke-width="2.5" stroke-dasharray="5 3"/>${text(161, 24, "slope")}`;
  return picture(780, 430, [key, ...panels]);
}

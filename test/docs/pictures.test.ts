import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { graphPictures, plots } from "../../docs/make-pictures.ts";
import { maxoutPicture } from "../../docs/pictures/convolution.ts";
import { graphs } from "../../docs/pictures/graphs.ts";

const kept = (name: string): string => readFileSync(fileURLToPath(new URL(`../../docs/images/${name}`, import.meta.url)), "utf8");
const graphviz = await import("@viz-js/viz").then(
  () => true,
  () => false,
);

/** Words and marks as they are, numbers to one unit of the first decimal: another machine may round a curve's point differently. */
function alike(a: string, b: string): boolean {
  const split = (text: string): string[] => text.split(/(-?\d+(?:\.\d+)?)/);
  const [left, right] = [split(a), split(b)];
  return left.length === right.length && left.every((part, i) => part === right[i] || Math.abs(Number(part) - Number(right[i])) < 0.11);
}

test("The kept plots are what docs/make-pictures.ts makes.", async () => {
  for (const [name, svg] of await plots()) expect(alike(kept(name), svg), name).toBe(true);
});

test.runIf(graphviz)("The kept drawings of graphs are what docs/make-pictures.ts makes.", async () => {
  for (const [name, svg] of await graphPictures())
    expect(kept(name).match(/<text[^>]*>[^<]*/g)?.length, name).toBe(svg.match(/<text[^>]*>[^<]*/g)?.length);
});

test("Fig. 6.11 with its gradients contains Fig. 6.11, and shades what was added.", () => {
  const nodes = (dot: string): string[] => dot.match(/^ {2}n\d+ \[.*$/gm) ?? [];
  const { "course-fig-6-11": cost, "course-fig-6-11-gradient": both } = graphs();
  const shaded = nodes(both!).filter((node) => node.includes("fillcolor"));
  expect(nodes(both!).length - shaded.length).toBe(nodes(cost!).length);
  expect(shaded.length).toBeGreaterThan(10);
});

test("The kept picture of a maxout unit has the dials that docs/make-pictures.ts draws, and filters that keep to their angles.", async () => {
  const shapes = (svg: string): string[] => svg.match(/<(?:circle|path|image|text)\b/g) ?? [];
  const drawn = await maxoutPicture();
  expect(shapes(kept("course-maxout.svg"))).toEqual(shapes(drawn));
  for (const svg of [kept("course-maxout.svg"), drawn]) {
    const reaches = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="94"[^>]*\/><path d="M([^Z"]*)Z"/g)].map(([, cx, cy, path]) =>
      path!.split("L").map((point) => {
        const [x, y] = point.split(" ").map(Number);
        return (Math.hypot(x! - Number(cx), y! - Number(cy)) - 52) / 42;
      }),
    );
    expect(reaches).toHaveLength(6);
    // At each angle one of them answers.
    for (let k = 0; k < 72; k++) expect(reaches.reduce((sum, reach) => sum + reach[k]!, 0)).toBeCloseTo(1, 1);
    // A filter that answers at all does so at some angles far more often than at others.
    for (const reach of reaches.filter((own) => Math.max(...own) > 0.3))
      expect(Math.max(...reach) - Math.min(...reach)).toBeGreaterThan(0.25);
    expect(reaches.filter((own) => Math.max(...own) > 0.3).length).toBeGreaterThan(2);
  }
});

test("The kept picture of LeNet-5 shows its four stages of maps.", () => {
  const svg = kept("lenet-feature-maps.svg");
  for (const row of ["1 Conv2d → 2 tanh", "3 AvgPool2d", "4 Conv2d → 5 tanh", "6 AvgPool2d", "6 maps of 28 × 28", "16 maps of 5 × 5"])
    expect(svg).toContain(row);
  expect(svg.match(/<image /g)).toHaveLength(5);
});

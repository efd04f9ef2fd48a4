import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { graphPictures, plots } from "../../docs/make-pictures.ts";
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

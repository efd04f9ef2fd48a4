import { expect, test } from "vitest";
import { curvesSvg } from "../../src/train/index.ts";

const numbersIn = (text: string): number[] => [...text.matchAll(/-?\d+(\.\d+)?/g)].map(([n]) => Number(n));

test("a picture has a path for each line, within its bounds, and the labels as text", () => {
  const svg = curvesSvg("<script>alert(1)</script>", [
    {
      label: "loss",
      lines: [
        {
          label: "a & b",
          points: [
            [0, 5],
            [10, 1],
            [20, 0.5],
          ],
        },
        { label: "test", points: [[10, 2]] },
      ],
    },
  ]);
  expect(svg).not.toContain("<script");
  expect(svg).toContain("a &#38; b");
  const [path] = [...svg.matchAll(/<path d="M([^"HV]*)" fill="none"/g)];
  for (const n of numbersIn(path![1]!)) expect(n).toBeGreaterThanOrEqual(0);
  expect(svg.match(/<circle/g)).toHaveLength(4);
});

test("values over many powers of ten are drawn on a logarithmic axis, others on a linear one with round numbers", () => {
  const picture = (...values: number[]): string =>
    curvesSvg("t", [{ label: "l", lines: [{ label: "x", points: values.map((v, i) => [i, v] as const) }] }]);
  for (const tick of [">0.001<", ">0.1<", ">10<"]) expect(picture(0.0013, 9)).toContain(tick);
  for (const tick of [">0.9<", ">0.94<", ">1<"]) expect(picture(0.91, 0.99)).toContain(tick);
});

test("the axes say what they show, a logarithmic one that it is, and a mark where it is", () => {
  const panel = (label: string, ...values: number[]) => ({ label, lines: [{ label: "x", points: values.map((v, i) => [i, v] as const) }] });
  const svg = curvesSvg(
    "t",
    [panel("loss", 0.001, 9), { ...panel("share", 0.001, 9), scale: "linear", mark: { x: 1, label: "here & now" } }],
    { x: "epoch" },
  );
  expect(svg).toContain(">loss (logarithmic)<");
  expect(svg).toContain(">share<");
  expect(svg.match(/>epoch</g)).toHaveLength(2);
  expect(svg).toMatch(/stroke-dasharray[^>]*\/><text[^>]*>here &#38; now</);
});

test("nothing, one point, equal values and values that are not finite make pictures too", () => {
  for (const points of [
    [],
    [[3, 1]],
    [
      [0, 2],
      [1, 2],
    ],
    [
      [0, Number.NaN],
      [1, Number.POSITIVE_INFINITY],
    ],
    [
      [0, 0],
      [1, 0],
    ],
  ] as [number, number][][]) {
    const svg = curvesSvg("t", [{ label: "l", lines: [{ label: "x", points }] }]);
    expect(svg).toMatch(/<\/svg>\n$/);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test("a long training makes no long picture", () => {
  const points = Array.from({ length: 300_000 }, (_, i) => [i, 1 / (i + 1)] as const);
  expect(curvesSvg("t", [{ label: "l", lines: [{ label: "x", points }] }]).length).toBeLessThan(20_000);
});

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile, einsum, gradcheck, gradgradcheck, ones, type Tensor, tensor, zeros } from "../../src/index.ts";

interface Case {
  readonly text: string;
  readonly shapes: readonly (readonly number[])[];
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
const { cases } = JSON.parse(readFileSync(new URL("../fixtures/einsum.json", import.meta.url), "utf8")) as { cases: Case[] };

/** The numbers 1/4, 2/4, 3/4 … , each operand from where the last one ended. */
function operands(shapes: Case["shapes"]): Tensor[] {
  let start = 1;
  return shapes.map((shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Array.from({ length: size }, (_, i) => (start + i) / 4);
    start += size;
    return tensor(values, shape, { dtype: "float64" });
  });
}
const title = ({ text, shapes }: Case): string => `"${text}" of ${shapes.map((shape) => `[${shape}]`).join(" and ")}`;

describe("einsum gives NumPy's values", () => {
  for (const c of cases)
    test(title(c), async () => {
      const y = compile((...xs: Tensor[]) => einsum(c.text, ...xs), { device: "wasm" })(...operands(c.shapes)) as Tensor;
      expect([...y.shape]).toEqual([...c.shape]);
      expect([...(await y.data())]).toEqual(c.data.map((v) => expect.closeTo(v, 9)));
    });
});

describe("einsum has gradients of both orders where axes broadcast and repeat", () => {
  const repeating = cases.filter(
    ({ text, shapes }) => /(\w)[^,]*\1/.test(text.split("->")[0]!) || (shapes.flat().includes(1) && !shapes.flat().includes(0)),
  );
  const small = repeating.filter(({ shapes }) => shapes.reduce((n, shape) => n + shape.reduce((a, b) => a * b, 1), 0) < 40);
  for (const c of small)
    test(title(c), async () => {
      const f = (...xs: Tensor[]): Tensor => einsum(c.text, ...xs);
      expect(await gradcheck(f, operands(c.shapes))).toMatchObject({ passed: true });
      expect(await gradgradcheck(f, operands(c.shapes))).toMatchObject({ passed: true });
    });
});

describe("einsum says what is wrong in the user's own labels, at the user's line", () => {
  const x = (...shape: number[]): Tensor => zeros(shape);
  const wrong: readonly [what: string, f: () => Tensor, said: RegExp][] = [
    [
      "two sizes of a letter",
      () => einsum("ij,jk->ik", x(2, 3), x(4, 5)),
      /^einsum: "j" is 3 in one operand and 4 in the other .*\n {2}why: "ij,jk->ik" of \[2, 3\] and \[4, 5\]; sizes of one label are equal, or 1/,
    ],
    [
      "two sizes in the third operand",
      () => einsum("i,i,ij", x(3), x(1), x(2, 3)),
      /"i" is 3 in one operand and 2 in the other[\s\S]*\[3\] and \[1\] and \[2, 3\]/,
    ],
    [
      "two sizes of an axis of ...",
      () => einsum("...i,...i", x(5, 2, 3), x(4, 2, 3)),
      /axis -2 of "\.\.\." is 5 in one operand and 4 in the other/,
    ],
    ["a diagonal of a rectangle", () => einsum("ii", x(2, 3)), /^einsum: "i" is 2 and 3 in \[2, 3\]/],
    ["a diagonal of a row", () => einsum("ii", x(1, 3)), /^einsum: "i" is 1 and 3 in \[1, 3\]/],
    ["too few letters", () => einsum("ij", x(2, 3, 4)), /"ij" names 2 axes of a tensor that has 3/],
    ["too many letters beside ...", () => einsum("...ijk", x(2, 3)), /"\.\.\.ijk" names 3 axes of a tensor that has 2/],
    ["an unknown letter", () => einsum("ij->k", x(2, 3)), /"k" of the result is in no operand/],
    ["a letter twice in the result", () => einsum("ij->ii", x(2, 3)), /"i" stands twice in the result/],
    ["... twice in an operand", () => einsum("...i...", x(2, 3)), /"\.\.\." stands twice in "\.\.\.i\.\.\."/],
    ["... twice in the result", () => einsum("...ij->...i...j", x(2, 3)), /"\.\.\." stands twice in "\.\.\.i\.\.\.j"/],
    ["two dots", () => einsum("..i", x(2, 3)), /labels are letters, not "\.\.i"/],
    ["a digit", () => einsum("i1->i", x(2, 3)), /labels are letters, not "i1"/],
    ["two arrows", () => einsum("i->i->i", x(2)), /more than one arrow/],
    ["half an arrow", () => einsum("ij>i", x(2, 3)), /labels are letters, not "ij>i"/],
    ["operands that are missing", () => einsum("ij,jk", x(2, 3)), /names 2 operands, 1 are given/],
    ["operands too many", () => einsum("ij", x(2, 3), x(2, 3)), /names 1 operands, 2 are given/],
    ["no operand", () => einsum("ij"), /there are no tensors/],
    ["no text", () => einsum(x(2) as never, x(2)), /is no text/],
    ["what is no tensor", () => einsum("i", [1, 2] as never), /is not a tensor/],
  ];
  test.each(wrong)("%s", (_, f, said) => {
    expect(f).toThrow(said);
    expect(f).toThrow(/^einsum: .* at einsum\.test\.ts:\d+/);
  });
});

test("einsum of integers counts, and of two dtypes takes the wider", async () => {
  const i = tensor([1, 2, 3], { dtype: "int32" });
  expect(await einsum("i,i->", i, i).item()).toBe(14);
  expect(einsum("i,i->", i, ones([3])).dtype).toBe("float32");
  expect(await einsum("i,i->", i, ones([3])).item()).toBe(6);
});

/** One example for each rule: before → after, and both have the same value. */
import { describe, expect, test } from "vitest";
import { type DType, isFloat } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Form, Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { rewrite, STAGES } from "../../src/passes/index.ts";
import { gradients } from "../../src/transform/gradients.ts";

const RULES = [...new Set(STAGES.flatMap(({ rules }) => rules))];
const leaf = (index: number, shape: number[], dtype: DType = "float64"): Value => o.argument(index, { shape, dtype });
const x = leaf(0, [2, 3]);
const y = leaf(1, [2, 3]);
const row = leaf(2, [3]);
const s = leaf(3, []);
const t = leaf(4, []);
const n = leaf(5, [2, 3], "int32");
const m = leaf(13, [2, 3], "int32");
const mask = leaf(6, [2, 3], "bool");
const square = leaf(7, [3, 3]);
const long = leaf(8, [70_000]);
const cube = leaf(9, [2, 3, 4]);
const thin = leaf(10, [2, 1]);
const flat = leaf(11, [1, 3]);

const c = (value: number): Value => o.filled(value, [2, 3], "float64");
const zeros = (low: number[], high: number[]): o.Pad => ({ low, high, interior: low.map(() => 0), value: 0 });
const part = (v: Value, start: number, size: number): Value => o.sliceAxis(v, v.shape.length - 1, start, size);
const convolution: Form = {
  axes: [],
  windows: [{ x: 3, w: 3, y: 3, stride: 1, dilation: 1, pad: 1 }],
  result: "y",
};
const spreadRow = (): Value => o.broadcastTo(row, [2, 3], [1]);

/** The gradient of a max-pool of a 2 × 5 × 4 image. */
function poolGradient(size: number, stride: number): Value {
  const image = leaf(18, [2, 5, 4]);
  const along = (v: Value, axis: number): Value => o.windows(v, { axis, size, stride, dilation: 1 });
  return gradients(o.sum(o.square(o.max(along(along(image, 1), 3), [2, 4])), [0, 1, 2]), [image])[0]!;
}

const root = (v: Value): Value => o.select(o.eq(v, c(-Infinity)), c(Infinity), o.sqrt(o.add(v, c(0))));

/** Before and after, by the name of the rule. "" for after: only the value is compared. */
const EXAMPLES: Record<string, readonly (readonly [before: Value, after: Value | null])[]> = {
  "expand custom": [
    [o.custom(x, [y], (dy) => [dy]), x],
    [o.stopGradient(x), x],
  ],
  "product over windows": [[o.contract(convolution, row, leaf(12, [3])), null]],
  fold: [
    [o.add(o.scalarConstant(2, "float64"), o.scalarConstant(3, "float64")), o.scalarConstant(5, "float64")],
    [o.sum(o.constant(new Float64Array([1, 2, 3]), [3], "float64"), [0]), o.scalarConstant(6, "float64")],
  ],
  "add zero": [
    [o.add(x, c(-0)), x],
    [o.add(c(-0), x), x],
    [o.add(n, o.zerosLike(n)), n],
  ],
  "subtract zero": [
    [o.sub(x, c(0)), x],
    [o.sub(c(-0), x), o.neg(x)],
    [o.sub(o.zerosLike(n), n), o.neg(n)],
  ],
  "add negative": [
    [o.add(x, o.neg(y)), o.sub(x, y)],
    [o.add(o.neg(x), y), o.sub(y, x)],
  ],
  "subtract negative": [[o.sub(x, o.neg(y)), o.add(x, y)]],
  "negate twice": [[o.neg(o.neg(x)), x]],
  "negate difference": [[o.neg(o.sub(n, m)), o.sub(m, n)]],
  "multiply by one": [
    [o.mul(x, c(1)), x],
    [o.mul(c(1), x), x],
  ],
  "multiply by minus one": [[o.mul(x, c(-1)), o.neg(x)]],
  "integers times zero": [[o.mul(n, o.zerosLike(n)), o.zerosLike(n)]],
  "divide by one": [[o.div(x, c(1)), x]],
  "divide by power of two": [[o.div(x, c(8)), o.mul(x, c(0.125))]],
  "multiply negatives": [
    [o.mul(o.neg(x), o.neg(y)), o.mul(x, y)],
    [o.div(o.neg(x), o.neg(y)), o.div(x, y)],
  ],
  "negate factor": [
    [o.mul(o.neg(x), c(3)), o.mul(x, c(-3))],
    [o.neg(o.mul(x, c(3))), o.mul(x, c(-3))],
  ],
  "multiply constants": [[o.mul(o.mul(x, c(3)), c(0.5)), o.mul(x, c(1.5))]],
  "constant exponent": [
    [o.pow(x, c(0)), c(1)],
    [o.pow(x, c(1)), x],
    [o.pow(x, c(2)), o.mul(x, x)],
    [o.pow(x, c(3)), o.mul(o.mul(x, x), x)],
    [o.pow(x, c(4)), o.mul(o.mul(x, x), o.mul(x, x))],
    [o.pow(x, c(0.5)), root(x)],
    [o.pow(x, c(-1)), o.div(c(1), x)],
    [o.pow(x, c(-2)), o.square(o.div(c(1), x))],
    [o.pow(x, c(-0.5)), o.div(c(1), root(x))],
  ],
  "known mask": [
    [o.select(o.filled(1, [2, 3], "bool"), x, y), x],
    [o.select(o.filled(0, [2, 3], "bool"), x, y), y],
    [o.select(mask, x, x), x],
  ],
  "negated mask": [[o.select(o.logicalNot(mask), x, y), o.select(mask, y, x)]],
  "known operand": [
    [o.logicalAnd(mask, o.filled(0, [2, 3], "bool")), o.filled(0, [2, 3], "bool")],
    [o.logicalAnd(o.filled(1, [2, 3], "bool"), mask), mask],
    [o.logicalOr(mask, o.filled(0, [2, 3], "bool")), mask],
    [o.logicalOr(o.filled(1, [2, 3], "bool"), mask), o.filled(1, [2, 3], "bool")],
  ],
  "not not": [[o.logicalNot(o.logicalNot(mask)), mask]],
  "same operands": [
    [o.maximum(x, x), x],
    [o.minimum(x, x), x],
    [o.logicalAnd(mask, mask), mask],
    [o.logicalOr(mask, mask), mask],
  ],
  "same again": [
    [o.relu(o.relu(x)), o.relu(x)],
    [o.abs(o.abs(x)), o.abs(x)],
  ],
  "size of negative": [[o.abs(o.neg(x)), o.abs(x)]],
  "cast through a wider type": [
    [o.cast(o.cast(n, "float64"), "int32"), n],
    [o.cast(o.cast(mask, "int32"), "float32"), o.cast(mask, "float32")],
  ],
  "reshape of reshape": [
    [o.reshape(o.reshape(x, [6]), [3, 2]), o.reshape(x, [3, 2])],
    [o.reshape(o.reshape(x, [6]), [2, 3]), x],
  ],
  "reshape of broadcast": [
    [o.reshape(o.broadcastTo(s, [2, 3], []), [6]), o.broadcastTo(s, [6], [])],
    [o.reshape(spreadRow(), [2, 1, 3]), o.broadcastTo(row, [2, 1, 3], [2])],
  ],
  "transpose of transpose": [
    [o.transpose(o.transpose(cube, [1, 2, 0]), [1, 2, 0]), o.transpose(cube, [2, 0, 1])],
    [o.transpose(o.transpose(x, [1, 0]), [1, 0]), x],
  ],
  "transpose of ones": [[o.transpose(thin, [1, 0]), o.reshape(thin, [1, 2])]],
  "transpose of broadcast": [
    [o.transpose(spreadRow(), [1, 0]), o.broadcastTo(row, [3, 2], [0])],
    [o.transpose(o.broadcastTo(x, [4, 2, 3], [1, 2]), [2, 0, 1]), o.broadcastTo(o.transpose(x, [1, 0]), [3, 4, 2], [0, 2])],
  ],
  "broadcast of broadcast": [[o.broadcastTo(spreadRow(), [4, 2, 3], [1, 2]), o.broadcastTo(row, [4, 2, 3], [2])]],
  "broadcast of ones": [[o.broadcastTo(thin, [2, 3]), o.broadcastTo(o.reshape(thin, [2]), [2, 3], [0])]],
  "broadcast that repeats nothing": [[o.broadcastTo(row, [1, 3], [1]), o.reshape(row, [1, 3])]],
  "arithmetic below broadcast": [
    [o.mul(o.broadcastTo(s, [2, 3], []), o.broadcastTo(t, [2, 3], [])), o.broadcastTo(o.mul(s, t), [2, 3], [])],
    [o.exp(spreadRow()), o.broadcastTo(o.exp(row), [2, 3], [1])],
    [o.add(spreadRow(), o.broadcastTo(s, [2, 3], [])), o.broadcastTo(o.add(row, o.broadcastTo(s, [3], [])), [2, 3], [1])],
  ],
  "slice of slice": [
    [part(part(x, 1, 2), 1, 1), part(x, 2, 1)],
    [o.flip(o.flip(x, [1]), [1]), x],
  ],
  "slice of broadcast": [[part(spreadRow(), 1, 2), o.broadcastTo(part(row, 1, 2), [2, 2], [1])]],
  "slice of pad": [
    [part(o.pad(x, zeros([0, 2], [0, 1])), 3, 2), part(x, 1, 2)],
    [part(o.pad(x, zeros([0, 2], [0, 1])), 2, 3), x],
    [part(o.pad(x, zeros([0, 2], [0, 1])), 0, 2), o.filled(0, [2, 2], "float64")],
    [o.slice(o.pad(x, { low: [0, 1], high: [0, 0], interior: [0, 1], value: 0 }), { starts: [0, 1], steps: [1, 2], sizes: [2, 3] }), x],
  ],
  "slice of concat": [[part(o.concat([x, y], 1), 3, 2), part(y, 0, 2)]],
  "concat of slices": [[o.concat([part(x, 0, 1), part(x, 1, 2)], 1), x]],
  "pad of pad": [[o.pad(o.pad(x, zeros([0, 1], [0, 0])), zeros([1, 1], [0, 2])), o.pad(x, zeros([1, 2], [0, 2]))]],
  "pad of windows": [
    [
      o.pad(o.windows(cube, { axis: 1, size: 2, stride: 1, dilation: 1 }), zeros([1, 0, 0, 2], [0, 0, 0, 1])),
      o.windows(o.pad(cube, zeros([1, 0, 2], [0, 0, 1])), { axis: 1, size: 2, stride: 1, dilation: 1 }),
    ],
  ],
  "slice of windows": [
    [
      part(o.windows(cube, { axis: 1, size: 2, stride: 1, dilation: 1 }), 1, 2),
      o.windows(part(cube, 1, 2), { axis: 1, size: 2, stride: 1, dilation: 1 }),
    ],
  ],
  "pad with more of the same": [[o.pad(c(0), zeros([1, 1], [0, 0])), o.filled(0, [3, 4], "float64")]],
  "concat of concat": [[o.concat([o.concat([x, y], 1), x], 1), o.concat([x, y, x], 1)]],
  "concat of nothing": [[o.concat([x, leaf(13, [2, 0])], 1), x]],
  "sum of pads": [
    [o.add(o.pad(x, zeros([0, 0], [0, 3])), o.pad(y, zeros([0, 3], [0, 0]))), o.concat([x, y], 1)],
    [
      o.add(o.add(o.pad(y, zeros([0, 3], [0, 3])), o.pad(x, zeros([0, 6], [0, 0]))), o.pad(x, zeros([0, 0], [0, 6]))),
      o.concat([x, y, x], 1),
    ],
    [o.add(o.pad(x, zeros([0, 0], [0, 4])), o.pad(y, zeros([0, 3], [0, 1]))), o.pad(o.concat([x, y], 1), zeros([0, 0], [0, 1]))],
  ],
  "fold of what does not overlap": [
    [o.fold(cube, { axis: 1, size: 4, stride: 4, dilation: 1, length: 14 }), o.pad(o.reshape(cube, [2, 12]), zeros([0, 0], [0, 2]))],
  ],
  "slice of fold of what is spread": [
    [
      o.slice(o.fold(o.broadcastTo(x, [2, 3, 3], [0, 1]), { axis: 1, size: 3, stride: 2, dilation: 1, length: 8 }), {
        starts: [0, 1],
        steps: [1, 1],
        sizes: [2, 6],
      }),
      null,
    ],
    [
      o.slice(o.fold(o.broadcastTo(x, [2, 3, 3], [0, 1]), { axis: 1, size: 3, stride: 2, dilation: 1, length: 8 }), {
        starts: [1, 5],
        steps: [1, -1],
        sizes: [1, 4],
      }),
      null,
    ],
  ],
  "fold of what is spread": [
    [o.fold(o.broadcastTo(x, [2, 3, 3], [0, 1]), { axis: 1, size: 3, stride: 2, dilation: 1, length: 8 }), null],
    [
      o.fold(o.abs(o.sub(o.broadcastTo(x, [2, 3, 3], [0, 1]), o.filled(0.7, [2, 3, 3], "float64"))), {
        axis: 1,
        size: 3,
        stride: 2,
        dilation: 1,
        length: 8,
      }),
      null,
    ],
    [poolGradient(2, 1), null],
    [poolGradient(3, 2), null],
  ],
  "reduce one element": [
    [o.sum(thin, [1]), o.reshape(thin, [2])],
    [o.max(leaf(17, [2, 1, 3]), [1, 2]), o.max(o.reshape(leaf(17, [2, 1, 3]), [2, 3]), [1])],
    [o.argmax(thin, 1), o.filled(0, [2], "int32")],
    [o.argmax(leaf(17, [2, 1, 3]), [1, 2]), o.argmax(o.reshape(leaf(17, [2, 1, 3]), [2, 3]), [1])],
  ],
  "sum of sum": [
    [o.sum(o.sum(cube, [1]), [1]), o.sum(cube, [1, 2])],
    [o.max(o.max(cube, [0]), [0]), o.max(cube, [0, 1])],
  ],
  "reduce what is repeated": [
    [o.sum(spreadRow(), [0]), o.mul(row, o.filled(2, [3], "float64"))],
    [o.max(spreadRow(), [0, 1]), o.max(row, [0])],
  ],
  "reduce of transpose": [
    [o.sum(o.transpose(cube, [2, 0, 1]), [1]), o.transpose(o.sum(cube, [0]), [1, 0])],
    [o.argmax(o.transpose(x, [1, 0]), 0), o.argmax(x, 1)],
    [o.argmin(o.transpose(cube, [1, 0, 2]), [0, 2]), o.argmin(cube, [1, 2])],
  ],
  "reduce all of reshape": [
    [o.sum(o.reshape(cube, [24]), [0]), o.sum(cube, [0, 1, 2])],
    [o.argmax(o.reshape(cube, [6, 4]), [0, 1]), o.argmax(cube, [0, 1, 2])],
  ],
  "sum of pad": [[o.sum(o.pad(x, zeros([0, 1], [0, 1])), [1]), o.sum(x, [1])]],
  "product of nothing": [[o.matmul(leaf(14, [2, 0]), leaf(15, [0, 3])), c(0)]],
  "product along one element": [
    [o.matmul(thin, flat), o.mul(o.broadcastTo(o.reshape(thin, [2]), [2, 3], [0]), o.broadcastTo(o.reshape(flat, [3]), [2, 3], [1]))],
  ],
  "product without a sum": [
    [o.einsum("i,j->ij", row, row), o.mul(o.broadcastTo(row, [3, 3], [0]), o.broadcastTo(row, [3, 3], [1]))],
    [o.einsum("ij,ij->ij", x, y), o.mul(x, y)],
  ],
  "product of transpose": [
    [o.einsum("ij,jk->ik", o.transpose(square, [1, 0]), square), o.einsum("ji,jk->ik", square, square)],
    [o.einsum("ij,jk->ik", square, o.transpose(square, [1, 0])), o.einsum("ij,kj->ik", square, square)],
  ],
  "product of broadcast": [
    [
      o.einsum("ij,jk->ik", x, o.broadcastTo(row, [3, 3], [1])),
      o.mul(o.broadcastTo(o.sum(x, [1]), [2, 3], [0]), o.broadcastTo(row, [2, 3], [1])),
    ],
    [o.einsum("ij,ik->jk", o.broadcastTo(row, [2, 3], [1]), o.broadcastTo(row, [2, 3], [1])), null],
    [o.einsum("ij,jk->ik", spreadRow(), square), o.broadcastTo(o.einsum("j,jk->k", row, square), [2, 3], [1])],
  ],
  "transpose of product": [[o.transpose(o.einsum("ij,jk->ik", x, square), [1, 0]), o.einsum("ij,jk->ki", x, square)]],
  "sum of product": [
    [o.sum(o.einsum("ij,jk->ik", x, square), [0]), o.einsum("j,jk->k", o.sum(x, [0]), square)],
    [o.sum(o.einsum("ij,ij->ij", x, y), [0]), o.einsum("ij,ij->j", x, y)],
  ],
  "sum of elementwise product": [
    [
      o.sum(o.mul(o.broadcastTo(x, [2, 3, 4], [0, 1]), o.broadcastTo(leaf(16, [3, 4]), [2, 3, 4], [1, 2])), [1]),
      o.einsum("ij,jk->ik", x, leaf(16, [3, 4])),
    ],
  ],
  split: [
    [o.sum(long, [0]), o.sum(o.sum(o.reshape(long, [4, 17_500]), [1]), [0])],
    [o.max(long, [0]), o.max(o.max(o.reshape(long, [4, 17_500]), [1]), [0])],
  ],
};

/** A graph as text; equal texts are equal graphs, leaves are told apart by their attributes. */
function show(v: Value): string {
  const attributes = JSON.stringify(v.attributes, (_, a) => (ArrayBuffer.isView(a) ? Array.from(a as unknown as ArrayLike<number>) : a));
  return `${v.op.name}(${[...v.inputs.map(show), ...(attributes ? [attributes] : [])].join(", ")})`;
}

/** Positive numbers, no two alike; what they are depends on the leaf's attributes only. */
function fill(outputs: readonly Value[]): Map<Value, number[]> {
  const leaves = topological(outputs).filter((v) => v.op.kind === "leaf" && v.op.source === "argument");
  return new Map(
    leaves.map((v) => {
      const { index } = v.attributes as { index: number };
      const at = (i: number): number => Math.abs(Math.sin(i * 1.3 + index)) + 0.1;
      const numbers = Array.from({ length: sizeOf(v.shape) }, (_, i) =>
        isFloat(v.dtype) ? at(i) : v.dtype === "bool" ? i % 2 : (i * 7) % 5,
      );
      return [v, numbers] as const;
    }),
  );
}

test("every rule has an example, and every example a rule", () => {
  expect(Object.keys(EXAMPLES).sort()).toEqual(RULES.map((rule) => rule.name).sort());
});

test("every rule says what is before and what is after", () => {
  for (const rule of RULES) expect(rule.doc).toContain("→");
});

describe.each(RULES.map((rule) => [rule.name, rule] as const))("%s", (name, rule) => {
  test.each(EXAMPLES[name]!.map((example, i) => [i, ...example] as const))("example %i", (_, before, after) => {
    const [result] = rewrite([before], [rule]);
    expect(result).not.toBe(before);
    if (after) expect(show(result!)).toBe(show(after));
    const inputs = fill([before, result!]);
    const [[a], [b]] = [evaluate([before], inputs), evaluate([result!], inputs)];
    expect(b!.length).toBe(a!.length);
    a!.forEach((value, i) => {
      expect(b![i]).toBeCloseTo(value, Math.abs(value) > 1000 ? 6 : 10);
    });
  });
});

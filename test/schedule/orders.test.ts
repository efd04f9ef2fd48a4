/** Who decides in which order the axes of a stored value lie. */
import { expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import { readsOf } from "../../src/kernel/kernel.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { schedule } from "../../src/schedule/index.ts";

const image = o.argument(0, { shape: [1, 8, 10, 10], dtype: "float32" });
const kernel = o.argument(1, { shape: [16, 8, 3, 3], dtype: "float32" });
const weights = o.argument(2, { shape: [300, 16 * 4 * 4], dtype: "float32" });

/** relu(conv) → pool → flatten → dense. */
function network(): Value {
  const window = { x: 10, w: 3, y: 8, stride: 1, dilation: 1, pad: 0 };
  const y = o.contract({ axes: [{ size: 1, in: ["x", "y"] }, { size: 16, in: ["w", "y"] }, { size: 8, in: ["x", "w"] }], windows: [window, window], result: "y" }, image, kernel); // biome-ignore format: one call
  const windows = o.windows(o.windows(o.relu(y), { axis: 2, size: 2, stride: 2, dilation: 1 }), {
    axis: 4,
    size: 2,
    stride: 2,
    dilation: 1,
  });
  return o.matmul(o.reshape(o.max(windows, [3, 5]), [1, 256]), o.transpose(weights, [1, 0]));
}

const kernelsOf = (v: Value) =>
  schedule({ outputs: optimise([v]), assignments: [] }).steps.flatMap((s) => (s.do === "kernels" ? s.kernels : []));

test("What is multiplied with a much larger matrix of weights, in loops, is stored as the weights are read: in one run.", () => {
  const last = kernelsOf(network()).at(-1)!;
  expect(last.kind).toBe("rows");
  const [vector, matrix] = readsOf(last).map((access) => access.strides.filter((stride) => stride !== 0));
  // The matrix goes from row to row, too.
  expect(matrix).toEqual([256, ...vector!]);
});

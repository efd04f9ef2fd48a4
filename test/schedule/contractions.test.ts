/** What a contraction becomes is decided from its form, before any kernel has a domain. */
import { afterAll, describe, expect, test } from "vitest";
import type { Form, Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { type Contraction, planContraction } from "../../src/schedule/contraction.ts";
import { schedule } from "../../src/schedule/index.ts";
import { againstInterpreter } from "./against.ts";

const device = new WasmRunner({ threads: 1 });
afterAll(() => device.close());
const argument = (i: number, ...shape: number[]): Value => o.argument(i, { shape, dtype: "float64" });

const becomes = (v: Value): string => {
  const c: Contraction = planContraction(v);
  return c.as === "product" ? "product" : c.why;
};

/** The kinds of the kernels that compute a value. */
const kinds = (v: Value): string[] =>
  schedule({ outputs: optimise([v]), assignments: [] }).steps.flatMap((s) => (s.do === "kernels" ? s.kernels.map((k) => k.kind) : []));

function convolution(channels: number): { y: Value; args: Value[] } {
  const args = [argument(0, 4, channels, 10, 10), argument(1, 8, channels, 3, 3)];
  const window = { x: 10, w: 3, y: 8, stride: 1, dilation: 1, pad: 0 };
  const form: Form = {
    axes: [{ size: 4, in: ["x", "y"] }, { size: channels, in: ["x", "w"] }, { size: 8, in: ["w", "y"] }], // biome-ignore format: labels
    windows: [window, window],
    order: { w: [1, 0, 2, 3] },
    result: "y",
  };
  return { y: o.contract(form, args[0]!, args[1]!), args };
}

describe("A contraction", () => {
  test("is a tiled product where the axes it sums over are one run in both operands, in whatever order it names them.", () => {
    const [x, w] = [argument(0, 32, 3, 20), argument(1, 16, 3, 20)];
    for (const labels of ["mlk,nlk->mn", "mlk,nlk->nm"]) {
      const y = o.einsum(labels, x, w);
      expect(becomes(y)).toBe("product");
      expect(kinds(y)).toEqual(["product"]);
      againstInterpreter(device, [y], [x, w]);
    }
  });

  test("runs in loops, and says why, where it is too small, too thin, or over whole numbers.", () => {
    const ints = [0, 1].map((i) => o.argument(i, { shape: [40, 40], dtype: "int32" })) as [Value, Value];
    expect(becomes(o.matmul(argument(0, 4, 8), argument(1, 8, 4)))).toBe("small");
    expect(becomes(o.matmul(argument(0, 100, 3), argument(1, 3, 100)))).toBe("short sum");
    expect(becomes(o.matmul(argument(0, 1, 500), argument(1, 500, 500)))).toBe("vector");
    expect(becomes(o.matmul(...ints))).toBe("whole numbers");
    const { contractions } = schedule({ outputs: [o.matmul(argument(0, 64, 64), argument(1, 64, 64))], assignments: [], optimize: 0 });
    expect([...contractions.values()]).toEqual([{ as: "loops", why: "unoptimised" }]);
  });

  test("is a tiled product, too, where its sum is in pieces: axes in another order, overlapping windows.", () => {
    const [x, w] = [argument(0, 32, 3, 20), argument(1, 16, 20, 3)];
    const swapped = o.einsum("mlk,nkl->mn", x, w);
    expect(becomes(swapped)).toBe("product");
    expect(kinds(swapped)).toEqual(["product"]);
    againstInterpreter(device, [swapped], [x, w]);
    for (const channels of [1, 3]) {
      const { y, args } = convolution(channels);
      expect(becomes(optimise([y])[0]!)).toBe("product");
      expect(kinds(y)).toEqual(["product"]);
      againstInterpreter(device, [o.relu(y)], args);
    }
  });

  test("reads an operand in place where a move cuts the sum in pieces.", () => {
    const [x, w] = [argument(0, 32, 5, 21), argument(1, 16, 5, 20)];
    const y = o.einsum("mlk,nlk->mn", o.sliceAxis(x, 2, 1, 20), w);
    expect(becomes(y)).toBe("product");
    expect(kinds(y)).toEqual(["product"]);
    againstInterpreter(device, [y, o.sum(y, [0])], [x, w]);
  });

  test("reads an operand under another shape in place, and leaves what has another shape than its result to a kernel of its own.", () => {
    const [x, w] = [argument(0, 6, 480), argument(1, 40, 24, 20)];
    const y = o.einsum("mlk,nkl->mn", o.reshape(x, [6, 20, 24]), w);
    expect(becomes(y)).toBe("product");
    const after = o.tanh(o.reshape(y, [3, 2, 40]));
    expect(kinds(after)).toEqual(["product", "rows"]);
    againstInterpreter(device, [after], [x, w]);
  });
});

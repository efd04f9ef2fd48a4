/** Contractions over many axes become products over few; what follows them runs in their epilogues. */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { againstInterpreter } from "./against.ts";
import { loadGraph } from "./run.ts";

const device = new WasmRunner({ threads: 2 });
afterAll(() => device.close());
const argument = (i: number, shape: readonly number[]): Value => o.argument(i, { shape, dtype: "float64" });

/** Ways to go on from a product v with a tensor z of its shape. */
const EPILOGUES: readonly ((v: Value, z: Value, vary: number) => Value)[] = [
  (v, _, vary) => o.add(v, o.iota(v.shape, vary % v.shape.length, "float64")),
  (v, z) => o.add(v, z),
  (v) => o.tanh(v),
  (v, z) => o.mul(v, o.add(v, z)),
  (v) => o.sub(v, o.broadcastTo(o.mean(v, [0]), v.shape, [...v.shape.keys()].slice(1))),
  (v) => o.add(v, o.reshape(o.transpose(v, [...v.shape.keys()].reverse()), v.shape)),
  (v) => {
    const columns = [4, 6, 8, 10].find((n) => sizeOf(v.shape) % n === 0) ?? 1;
    return o.mul(v, o.broadcastTo(o.max(o.sum(o.reshape(v, [sizeOf(v.shape) / columns, columns]), [0]), [0]), v.shape, []));
  },
];

const SIZES: Readonly<Record<string, number>> = { a: 3, b: 2, m: 7, p: 5, o: 1, n: 9, q: 4, k: 11, l: 3 };
const some = (labels: string[], minLength = 1): fc.Arbitrary<string[]> => fc.subarray(labels, { minLength });
const cases = fc
  .record({ batch: some(["a", "b"], 0), m: some(["m", "p", "o"]), n: some(["n", "q"]), k: some(["k", "l"]) })
  .chain(({ batch, m, n, k }) => {
    const shuffled = (labels: string[]): fc.Arbitrary<string[]> => fc.shuffledSubarray(labels, { minLength: labels.length });
    return fc.record({
      left: shuffled([...batch, ...m, ...k]),
      right: shuffled([...batch, ...n, ...k]),
      result: shuffled([...batch, ...m, ...n]),
      scale: fc.integer({ min: 1, max: 3 }),
      epilogue: fc.array(fc.nat(EPILOGUES.length - 1), { maxLength: 4 }),
      vary: fc.nat(7),
      keep: fc.boolean(),
    });
  });

describe("A product", () => {
  test("of rows in several axes is one of more rows, and positions along each of them stay what they are.", () => {
    const x = argument(0, [3, 40, 16]);
    for (const [labels, shape] of [
      ["kn->bmn", [3, 40, 32]],
      ["kpq->bmpq", [3, 40, 4, 8]],
    ] as const) {
      const w = argument(1, [16, ...shape.slice(2)]);
      const y = o.einsum(`bmk,${labels}`, x, w);
      againstInterpreter(device, [y], [x, w]);
      for (const axis of shape.keys()) againstInterpreter(device, [o.add(y, o.iota(shape, axis, "float64"))], [x, w]);
    }
  });

  test("of any axes in any order, with whatever follows it, has the interpreter's values.", { tags: ["slow"] }, () => {
    fc.assert(
      fc.property(cases, ({ left, right, result, scale, epilogue, vary, keep }) => {
        const shapeOf = (labels: readonly string[]): number[] => labels.map((l) => SIZES[l]! * ("mnk".includes(l) ? scale : 1));
        const args = [left, right, result].map((labels, i) => argument(i, shapeOf(labels))) as [Value, Value, Value];
        const base = o.einsum(`${left.join("")},${right.join("")}->${result.join("")}`, args[0], args[1]);
        const end = epilogue.reduce((v, e) => EPILOGUES[e]!(v, args[2], vary), base);
        againstInterpreter(device, keep ? [end, base] : [end], args);
      }),
      { numRuns: 120, seed: 7 },
    );
  });

  test("with an epilogue that uses each value twice computes each once.", () => {
    const a = argument(0, [32, 32]);
    let x = o.matmul(a, a);
    for (let i = 0; i < 40; i++) x = o.add(o.mul(x, x), o.neg(x));
    const loaded = loadGraph(device, [x]);
    // Written out for each use it would be 2⁴⁰ operations; the loops are the code's key.
    expect(loaded.program.codes.reduce((size, { key }) => size + key.length, 0)).toBeLessThan(200_000);
    loaded.dispose();
  });
});

/** What is put together of parts is written by the kernels that compute the parts, each where it belongs. */
import { afterAll, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { schedule } from "../../src/schedule/index.ts";
import { againstInterpreter } from "./against.ts";

const device = new WasmRunner({ threads: 2 });
afterAll(() => device.close());
const argument = (i: number, ...shape: number[]): Value => o.argument(i, { shape, dtype: "float64" });

const kinds = (v: Value): string[] =>
  schedule({ outputs: optimise([v]), assignments: [] }).steps.flatMap((s) => (s.do === "kernels" ? s.kernels.map((k) => k.kind) : []));

test("Products write into what they are joined to, and so does what follows them.", () => {
  const [a, b, c] = [argument(0, 33, 20), argument(1, 20, 17), argument(2, 33, 17)];
  const joined = o.concat([o.matmul(a, b), o.relu(o.matmul(o.tanh(a), b)), o.exp(c)], 0);
  expect(kinds(joined)).toEqual(["rows", "product", "product", "rows"]);
  againstInterpreter(device, [joined, o.sum(joined, [1])], [a, b, c]);
});

test("What is joined to what is joined goes to its place at once.", () => {
  const [a, b] = [argument(0, 3, 5, 4), argument(1, 3, 5, 4)];
  const rows = [a, b].map((x) => o.concat([o.exp(x), o.neg(x), x], 2));
  const even = o.concat([rows[0]!, o.pad(o.sin(b), { low: [0, 0, 3], high: [0, 0, 2], interior: [0, 0, 1], value: 7 })], 1);
  // Three parts of the first row, and the second with what is around it.
  expect(kinds(even)).toHaveLength(5);
  againstInterpreter(device, [even, o.sum(even, [2])], [a, b]);
});

test("A value in two places is put into both; one that others read is read from memory.", () => {
  const a = argument(0, 6, 7);
  const x = o.exp(a);
  const twice = o.concat([x, a, x], 1);
  againstInterpreter(device, [twice, o.sum(x, [0])], [a]);
  againstInterpreter(
    device,
    [
      o.concat(
        [twice, o.transpose(o.concat([a, x], 0), [1, 0]) as Value].map((v) => o.reshape(v, [v.shape[0]! * v.shape[1]!])),
        0,
      ),
    ],
    [a],
  );
});

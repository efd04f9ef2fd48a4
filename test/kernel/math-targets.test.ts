import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arrayOf, bytesOf, type DType, viewOf } from "../../src/core/dtype.ts";
import { call, load } from "../../src/kernel/expr.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import type { Runner } from "../../src/runtime/runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { ACCURACY, FUNCTIONS, type FunctionName, loadMath, ulps } from "./math-fixtures.ts";

/** out[i] = op(inputs[0][i], …) on a device. */
function map(device: Runner, op: FunctionName, dtype: DType, inputs: readonly (readonly number[])[]): number[] {
  const length = inputs[0]!.length;
  const bytes = length * bytesOf(dtype);
  const ids = [...inputs.keys(), inputs.length];
  const addresses = ids.map((id) => device.heap.allocate(bytes, `buffer ${id}`));
  inputs.forEach((values, i) => {
    viewOf(dtype, device.heap.memory.buffer, addresses[i]!, length).set(arrayOf(dtype, length).map((_, k) => values[k]!));
  });
  const access = (buffer: number) => ({ buffer, offset: 0, strides: [1] });
  const value = call(
    FUNCTIONS[op],
    inputs.map((_, i) => load(access(i), dtype)),
  );
  const { calls, threadBytes } = device.target.lower(
    { kind: "rows", outer: [length], inner: [], stores: [{ to: access(inputs.length), value }], guards: [] },
    {
      dtypeOf: () => dtype,
      sizeOf: () => 0,
      isSettled: () => false,
      allocate: () => {
        throw new Error("a map needs no scratch");
      },
    },
  );
  const program = device.load(
    {
      codes: calls.map((c) => c.code),
      buffers: ids.map((id) => ({ id, dtype, bytes, place: "variable" as const })),
      steps: calls.map((c, i) => ({ do: "call" as const, code: i, arguments: c.arguments, blocks: c.blocks, label: op })),
      checks: [],
      scratchBytes: 0,
      threadBytes,
      work: length,
    },
    (buffer) => addresses[buffer.id]!,
  );
  program.run();
  const result = [...viewOf(dtype, device.heap.memory.buffer, addresses[inputs.length]!, length)];
  program.dispose();
  for (const address of addresses) device.heap.free(address);
  return result;
}

const native = nativeAvailable();
const DEVICES: [string, () => Runner, boolean][] = [
  ["WebAssembly", () => new WasmRunner({ threads: 1 }), true],
  ["WebAssembly without fma", () => new WasmRunner({ threads: 1, relaxed: false }), true],
  ["native", () => new NativeRunner({ threads: 1 }), native.available],
];

for (const [name, create, available] of DEVICES)
  describe.runIf(available)(`scalar functions on ${name}`, () => {
    let device: Runner;
    beforeAll(() => {
      device = create();
    });
    afterAll(() => device?.close());

    for (const { name: op, dtype, rows } of loadMath())
      test(`${op} in ${dtype} is within ${ACCURACY[op][dtype]} ulp`, () => {
        const inputs = rows[0]!.inputs.map((_, k) => rows.map((row) => row.inputs[k]!));
        const results = map(device, op, dtype, inputs);
        const bad = rows
          .map(({ inputs: x, value, more }, i) => ({ x, value, got: results[i]!, error: ulps(results[i]!, value, more, dtype) }))
          .filter(({ error }) => !(error <= ACCURACY[op][dtype]));
        expect(bad).toEqual([]);
      });

    test("min and max give NaN where either operand is NaN, and hold −0 for less than 0", () => {
      const some = [0, -0, 1, -1, 2.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
      const [a, b] = [some.flatMap((x) => some.map(() => x)), some.flatMap(() => some)];
      for (const dtype of ["float32", "float64"] as const) {
        expect(map(device, "min", dtype, [a, b])).toEqual(a.map((x, i) => Math.min(x, b[i]!)));
        expect(map(device, "max", dtype, [a, b])).toEqual(a.map((x, i) => Math.max(x, b[i]!)));
      }
    });

    test("threefry gives the published words", () => {
      const inputs = [
        [0, 0xffffffff, 0x13198a2e],
        [0, 0xffffffff, 0x03707344],
        [0, 0xffffffff, 0x243f6a88],
        [0, 0xffffffff, 0x85a308d3],
      ];
      expect(map(device, "threefry0", "uint32", inputs)).toEqual([0x6b200159, 0x1cb996fc, 0xc4923a9c]);
      expect(map(device, "threefry1", "uint32", inputs)).toEqual([0x99ba4efe, 0xbb002be7, 0x483df7a0]);
    });
  });

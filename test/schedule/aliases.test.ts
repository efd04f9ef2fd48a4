/** A reshape that no loop can follow is another name for its input's memory: who reads it must come after who writes that. */
import { afterAll, describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { againstInterpreter, wave } from "./against.ts";
import { loadGraph } from "./run.ts";

const device = new WasmRunner({ threads: 2 });
afterAll(() => device.close());

describe("What is read under another shape", () => {
  const x = o.argument(0, { shape: [6, 4], dtype: "float64" });
  const s = o.tanh(x);

  test("is not stored by a kernel that needs a sum over it.", () => {
    const other = o.reshape(s, [4, 6]);
    const total = o.sum(o.mul(other, other), [0]);
    againstInterpreter(device, [o.mul(s, o.broadcastTo(total, [6, 4], [0]))], [x]);
  });

  test("is not stored by the very kernel that reads it there.", () => {
    const other = o.transpose(o.reshape(s, [4, 6]), [1, 0]);
    againstInterpreter(device, [o.add(s, other)], [x]);
    againstInterpreter(device, [o.add(o.add(s, other), o.exp(s)), s], [x]);
  });
});

describe("A variable that gets another's old content under another shape", () => {
  const [a, b] = [{}, {}];
  const va = o.variable(a, { shape: [4, 6], dtype: "float64" });
  const vb = o.variable(b, { shape: [6, 4], dtype: "float64" });
  const [first, second] = [wave(24, 1), wave(24, 2)];
  const run = (assignments: readonly { cell: object; value: Value }[]): number[][] => {
    const loaded = loadGraph(device, [], { assignments, threads: "all" });
    loaded.set(a, first);
    loaded.set(b, second);
    expect(loaded.run()).toEqual({ ok: true });
    const contents = [loaded.variable(a), loaded.variable(b)];
    loaded.dispose();
    return contents;
  };

  test("gets it before it is overwritten, in whatever order the two are assigned.", () => {
    const list = [
      { cell: a, value: o.reshape(vb, [4, 6]) },
      { cell: b, value: o.add(vb, o.scalarLike(vb, 1)) },
    ];
    const wanted = [[...second], [...second].map((v) => v + 1)];
    expect(run(list)).toEqual(wanted);
    expect(run(list.toReversed())).toEqual(wanted);
  });

  test("can be swapped with it.", () => {
    expect(
      run([
        { cell: a, value: o.reshape(vb, [4, 6]) },
        { cell: b, value: o.reshape(va, [6, 4]) },
      ]),
    ).toEqual([[...second], [...first]]);
  });
});

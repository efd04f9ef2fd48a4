import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Type, Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { optimise, rewrite, STAGES } from "../../src/passes/index.ts";
import { gradients } from "../../src/transform/index.ts";
import { buildGraph, choices, numbersFor } from "./random-graphs.ts";

const type = (...shape: number[]): Type => ({ shape, dtype: "float32" });
const count = (outputs: readonly Value[], name: string): number => topological(outputs).filter((v) => v.op.name === name).length;
const near = (a: number, b: number): boolean =>
  Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

function expectSame(before: readonly Value[], after: readonly Value[], inputs: ReadonlyMap<Value, number[]>): void {
  const [a, b] = [evaluate(before, inputs), evaluate(after, inputs)];
  before.forEach((v, k) => {
    expect(after[k]!.shape).toEqual(v.shape);
    expect(after[k]!.dtype).toBe(v.dtype);
    const wrong = a[k]!.findIndex((value, i) => !near(value, b[k]![i]!));
    if (wrong >= 0) expect.fail(`output ${k}, element ${wrong}: ${a[k]![wrong]} became ${b[k]![wrong]}`);
  });
}

describe("values stay", () => {
  test("on random graphs", { tags: ["slow"] }, () => {
    fc.assert(
      fc.property(choices(25), (steps) => {
        const { leaves, outputs } = buildGraph(steps);
        expectSame(outputs, optimise(outputs), numbersFor(leaves));
      }),
      { numRuns: 400 },
    );
  });

  test("on random graphs with gradients", { tags: ["slow"] }, () => {
    fc.assert(
      fc.property(choices(12), (steps) => {
        const { leaves, outputs } = buildGraph(steps);
        const loss = outputs
          .filter((v) => v.dtype === "float64")
          .map((v) => o.sum(v, [...v.shape.keys()]))
          .reduce((a, b) => o.add(a, b), o.scalarConstant(0, "float64"));
        const all = [loss, ...gradients(loss, leaves).filter((g) => g !== null)];
        expectSame(all, optimise(all), numbersFor(leaves));
      }),
      { numRuns: 200 },
    );
  });

  test("where numbers are infinite or NaN, in arithmetic", () => {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 1, -1, 2.5];
    const x = o.argument(0, { shape: [7], dtype: "float64" });
    const y = o.argument(1, { shape: [7], dtype: "float64" });
    const c = (value: number): Value => o.scalarLike(x, value);
    const graphs = [
      o.sub(x, x),
      o.mul(x, c(0)),
      o.div(x, x),
      o.add(x, o.neg(y)),
      o.neg(o.mul(x, c(3))),
      o.mul(o.mul(x, c(0.25)), c(8)),
      o.maximum(x, x),
      o.relu(o.relu(x)),
      o.pow(x, c(2)),
      o.pow(x, c(-1)),
      o.pow(x, c(0)),
      o.div(x, c(4)),
      o.select(o.logicalNot(o.lt(x, y)), x, y),
      o.sum(o.broadcastTo(x, [3, 7], [1]), [0]),
    ];
    for (let shift = 0; shift < special.length; shift++) {
      const other = special.map((_, i) => special[(i + shift) % special.length]!);
      expectSame(
        graphs,
        optimise(graphs),
        new Map([
          [x, special],
          [y, other],
        ]),
      );
    }
  });
});

describe("the sign of a zero, NaN and infinity stay to the bit", () => {
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1, 2.5, -0.5];
  const [a, b] = [0, 1].map((i) => o.argument(i, { shape: [81], dtype: "float64" })) as [Value, Value];
  const pairs = new Map([
    [a, special.flatMap((x) => special.map(() => x))],
    [b, special.flatMap(() => special)],
  ]);
  const constants = [0, -0, 1, -1, 2, 0.5, -0.5, -2, 3];
  type Made = { readonly value: Value; readonly text: string };
  const leaf: fc.Arbitrary<Made> = fc.oneof(
    fc.constant({ value: a, text: "a" }),
    fc.constant({ value: b, text: "b" }),
    fc.constantFrom(...constants).map((k) => ({ value: o.filled(k, [81], "float64"), text: Object.is(k, -0) ? "-0" : String(k) })),
  );
  const one = fc.constantFrom(...([o.neg, o.abs, o.relu, o.sqrt] as const));
  const two = fc.constantFrom(...([o.add, o.sub, o.mul, o.div, o.maximum, o.minimum] as const));
  const { tree } = fc.letrec<{ tree: Made }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, depthSize: "large" },
      leaf,
      fc.tuple(one, tie("tree")).map(([f, x]) => ({ value: f(x.value), text: `${f.name}(${x.text})` })),
      fc.tuple(two, tie("tree"), tie("tree")).map(([f, x, y]) => ({ value: f(x.value, y.value), text: `${f.name}(${x.text}, ${y.text})` })),
      fc.tuple(tie("tree"), fc.constantFrom(...constants)).map(([x, k]) => ({
        value: o.pow(x.value, o.filled(k, [81], "float64")),
        text: `pow(${x.text}, ${k})`,
      })),
      // Of leaves, because results that rules round otherwise may compare otherwise.
      fc.tuple(leaf, leaf, tie("tree"), tie("tree")).map(([x, y, yes, no]) => ({
        value: o.select(o.lt(x.value, y.value), yes.value, no.value),
        text: `select(${x.text} < ${y.text}, ${yes.text}, ${no.text})`,
      })),
    ),
  }));
  const ordinary = (x: number): boolean => Number.isFinite(x) && x !== 0;

  test("on random arithmetic", () => {
    fc.assert(
      fc.property(tree, ({ value, text }) => {
        const [before] = evaluate([value], pairs);
        const [after] = evaluate(optimise([value]), pairs);
        before!.forEach((x, i) => {
          const y = after![i]!;
          const same = Object.is(x, y) || (ordinary(x) && ordinary(y) && Math.abs(x - y) <= 1e-9 * Math.abs(x));
          if (!same) expect.fail(`${text} at a = ${pairs.get(a)![i]}, b = ${pairs.get(b)![i]}: ${x} became ${y}`);
        });
      }),
      { numRuns: 1500, seed: 11 },
    );
  });

  test.each([
    ["x + 0", (x: Value) => o.add(x, o.zerosLike(x))],
    ["0 + x", (x: Value) => o.add(o.zerosLike(x), x)],
    ["x − (−0)", (x: Value) => o.sub(x, o.scalarLike(x, -0))],
    ["0 − x", (x: Value) => o.sub(o.zerosLike(x), x)],
    ["−(x − x)", (x: Value) => o.neg(o.sub(x, x))],
    ["x^½", (x: Value) => o.pow(x, o.scalarLike(x, 0.5))],
    ["x^−½", (x: Value) => o.pow(x, o.scalarLike(x, -0.5))],
  ])("of %s", (_, f) => {
    expect(evaluate(optimise([f(a)]), pairs)).toEqual(evaluate([f(a)], pairs));
  });
});

test("each rule fires on some random graph or has its own example", { tags: ["slow"] }, () => {
  // A guard against rules that the engine never reaches in company of the others.
  const fired = new Set<string>();
  const spies = STAGES.map((stage) => ({
    ...stage,
    rules: stage.rules.map((rule) => ({
      ...rule,
      apply: (...args: Parameters<typeof rule.apply>) => {
        const result = rule.apply(...args);
        if (result) fired.add(rule.name);
        return result;
      },
    })),
  }));
  for (const steps of fc.sample(choices(60, 60), { numRuns: 300, seed: 7 })) {
    let { outputs } = buildGraph(steps);
    for (const stage of spies) outputs = rewrite(outputs, stage.rules);
  }
  const rare = [
    "split",
    "slice of fold of what is spread",
    "product over windows",
    "product of nothing",
    "concat of nothing",
    "integers times zero",
    "not not",
    "add zero",
    "negate difference",
    "known operand",
    "fold of what does not overlap",
    "fold of what is spread",
  ];
  expect(STAGES.flatMap(({ rules }) => rules.map((rule) => rule.name)).filter((name) => !fired.has(name) && !rare.includes(name))).toEqual(
    [],
  );
});

describe("sharing", () => {
  const x = o.argument(0, type(4));

  test("equal subgraphs become one", () => {
    const [y] = optimise([o.add(o.mul(o.exp(x), o.exp(x)), o.exp(x))]);
    expect(count([y!], "exp")).toBe(1);
  });
  test("two outputs that are equal are one value", () => {
    const [a, b] = optimise([o.exp(x), o.exp(x)]);
    expect(a).toBe(b);
  });
  test("attributes tell nodes apart", () => {
    const [y] = optimise([o.add(o.sum(o.reshape(x, [2, 2]), [0]), o.sum(o.reshape(x, [2, 2]), [1]))]);
    expect(count([y!], "sum")).toBe(2);
    const [a, b] = optimise([o.constant(new Float32Array([0, 1]), [2], "float32"), o.constant(new Float32Array([-0, 1]), [2], "float32")]);
    expect(a).not.toBe(b);
  });
  test("arguments and variables stay apart, whatever their attributes", () => {
    const cell = {};
    const [a, b] = [o.variable(cell, type(4)), o.variable(cell, type(4))];
    const [y] = optimise([o.add(a, b)]);
    expect(y!.inputs).toEqual([a, b]);
  });
  test("numbers that programs take as arguments are neither shared nor folded", () => {
    const lifted = (value: number): Value => o.scalarConstant(value, "float32", { lifted: true });
    const [a, b] = [lifted(2), lifted(2)];
    const [sum, product] = optimise([o.add(a, b), o.mul(o.scalarConstant(1, "float32"), o.mul(lifted(1), a))]);
    expect(sum!.inputs).toEqual([a, b]);
    expect(product!.op.name).toBe("mul");
  });
  test("two random draws stay two, one draw used twice stays one", () => {
    const [key0, key1] = [o.argument(1, { shape: [], dtype: "uint32" }), o.argument(2, { shape: [], dtype: "uint32" })];
    const draw = (site: number): Value => o.randomBits(key0, key1, site, [5]);
    expect(count(optimise([draw(1), draw(2)]), "threefry")).toBe(2);
    expect(count(optimise([draw(1), draw(1)]), "threefry")).toBe(1);
  });
});

describe("stages", () => {
  const x = o.argument(0, type(2, 3));

  test("are shown one by one", () => {
    const seen: string[] = [];
    optimise([o.exp(x)], { onStage: (name, outputs) => seen.push(`${name}: ${outputs.length}`) });
    expect(seen).toEqual(["expand: 1", "simplify: 1", "simplify again: 1", "split: 1"]);
  });
  test("level 0 only drops custom ops and windows", () => {
    const [y] = optimise([o.add(o.stopGradient(x), o.zerosLike(x))], { level: 0 });
    expect(y!.op.name).toBe("add");
    expect(y!.inputs[0]).toBe(x);
  });
  test("what is simplified stays as it is", () => {
    const y = optimise([o.sum(o.exp(o.add(x, x)), [0])]);
    expect(optimise(y)[0]).toBe(y[0]);
  });
  test("nothing is folded that would be large", () => {
    const [y] = optimise([o.add(o.filled(1, [1000, 1000], "float32"), o.filled(2, [1000, 1000], "float32"))]);
    expect(y!.op.name).toBe("broadcast");
    expect(y!.inputs[0]!.shape).toEqual([]);
    expect(y!.inputs[0]!.op.name).toBe("constant");
  });
  test("an index outside its axis is left for the program to report", () => {
    const index = o.constant(new Int32Array([7]), [1], "int32");
    const [y] = optimise([o.gather(x, index)]);
    expect(() => evaluate([y!], new Map([[x, [1, 2, 3, 4, 5, 6]]]))).toThrow(/7/);
  });
});

describe("long reductions", () => {
  const reduceOf = (shape: number[], axes: number[], op: typeof o.sum = o.sum): { x: Value; y: Value } => {
    const x = o.argument(0, { shape, dtype: "float64" });
    return { x, y: op(x, axes) };
  };
  const data = (x: Value): number[] => Array.from({ length: sizeOf(x.shape) }, (_, i) => (i * 7919) % 1000);

  test.each([
    [[65_536], [0]],
    [[100_003], [0]],
    [
      [2, 3, 40_000],
      [1, 2],
    ],
    [[70_000, 3], [0]],
    [
      [300, 2, 300],
      [0, 2],
    ],
    [
      [4, 2, 50_021],
      [0, 2],
    ],
    [
      [300, 300],
      [0, 1],
    ],
  ])("%j over %j is cut into blocks and keeps its value", (shape, axes) => {
    for (const op of sizeOf(shape) === 65_536 ? [o.sum, o.max, o.min] : [o.sum]) {
      const { x, y } = reduceOf(shape, axes, op);
      const [cut] = optimise([y]);
      expect(count([cut!], y.op.name)).toBeGreaterThan(1);
      expectSame([y], [cut!], new Map([[x, data(x)]]));
    }
  });

  test("no block of a sum is longer than the limit", () => {
    const { y } = reduceOf([2 ** 28], [0]);
    const lengths = topological(optimise([y]))
      .filter((v) => v.op.name === "sum")
      .map((v) => sizeOf(v.inputs[0]!.shape) / sizeOf(v.shape));
    expect(Math.max(...lengths)).toBeLessThan(65_536);
  });

  test.each([
    ["short ones", [65_535], [0]],
    ["those with many results", [4097, 20_000], [1]],
    ["those of nothing", [0, 70_000], [1]],
  ])("%s are left alone", (_, shape, axes) => {
    const { y } = reduceOf(shape, axes);
    expect(count(optimise([y]), "sum")).toBe(1);
  });
  test("positions are not cut", () => {
    const x = o.argument(0, { shape: [70_000], dtype: "float64" });
    expect(topological(optimise([o.argmax(x, 0)])).length).toBe(2);
  });
});

describe("size and speed", () => {
  test("100,000 chained nodes are optimised, which quadratic time would not come to the end of", { tags: ["slow"] }, () => {
    const x = o.argument(0, type());
    let y = x;
    for (let i = 0; i < 50_000; i++) y = o.add(o.sin(y), x);
    const [result] = optimise([y]);
    expect(topological([result!]).length).toBe(100_001);
  });

  test("a chain of 500 slices' gradients becomes one concatenation", () => {
    const x = o.argument(0, type(500, 2));
    let h = o.filled(0, [1, 2], "float32");
    for (let t = 0; t < 500; t++) h = o.tanh(o.add(h, o.sliceAxis(x, 0, t, 1)));
    const [dx] = optimise(gradients(o.sum(h, [0, 1]), [x]).map((g) => g!));
    expect(count([dx!], "pad")).toBe(0);
    expect(count([dx!], "concat")).toBe(1);
  });

  test("the training step of a small network is optimised by making few nodes more than it has", () => {
    const step = trainingStep();
    const nodes = topological(step).length;
    // Ids count the nodes that were ever made.
    const next = (): number => o.argument(0, type()).id;
    const before = next();
    optimise(step);
    expect(next() - before).toBeLessThan(4 * nodes);
  });
});

/** Forward, backward and momentum update of 784-100-100-10 with softmax cross-entropy. */
function trainingStep(): Value[] {
  const x = o.argument(0, type(64, 784));
  const labels = o.argument(1, { shape: [64], dtype: "int32" });
  const sizes = [784, 100, 100, 10];
  const weights = sizes.slice(1).flatMap((n, i) => [o.variable({}, type(sizes[i]!, n)), o.variable({}, type(n))]);
  let h = x;
  for (let i = 0; i < 3; i++) {
    const z = o.matmul(h, weights[2 * i]!);
    const sum = o.add(z, o.broadcastTo(weights[2 * i + 1]!, z.shape));
    h = i < 2 ? o.relu(sum) : sum;
  }
  const picked = o.mul(o.logSoftmax(h, 1), o.oneHot(labels, 10, "float32"));
  const loss = o.neg(o.mean(o.sum(picked, [1]), [0]));
  const updates = gradients(loss, weights).flatMap((g, i) => {
    const w = weights[i]!;
    const velocity = o.variable({}, w);
    const next = o.add(o.mul(velocity, o.scalarLike(w, 0.9)), g!);
    return [next, o.sub(w, o.mul(next, o.scalarLike(w, 0.01)))];
  });
  return [loss, ...updates];
}

test("a convolution and its gradients pad the image once, before it is seen through windows", () => {
  const [x, w] = [o.argument(0, type(2, 3, 6, 6)), o.variable({}, type(5, 3, 3, 3))];
  const window = { x: 6, w: 3, y: 6, stride: 1, dilation: 1, pad: 1 };
  const axes = [
    { size: 2, in: ["x", "y"] },
    { size: 5, in: ["w", "y"] },
    { size: 3, in: ["x", "w"] },
  ] as const;
  const y = o.contract({ axes, windows: [window, window], result: "y" }, x, w);
  const outputs = optimise([y, ...gradients(o.sum(o.tanh(y), [0, 1, 2, 3]), [w, x]).map((g) => g!)]);
  const pads = topological(outputs).filter((v) => v.op.name === "pad");
  expect(pads.map((v) => v.shape)).toEqual([
    [2, 3, 8, 8],
    [2, 5, 8, 8],
  ]);
});

test("the training step keeps three forward products and five backward ones, without transposes", () => {
  const outputs = optimise(trainingStep());
  expect(count(outputs, "contract")).toBe(8);
  expect(count(outputs, "transpose")).toBe(0);
  expect(count(outputs, "custom")).toBe(0);
});

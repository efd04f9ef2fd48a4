/** Ops with bodies: what they compute, and that everything which handles graphs looks into them. Their gradients are among the samples. */
import { describe, expect, test } from "vitest";
import { GraphError, InternalError, OutOfRangeError } from "../../src/core/errors.ts";
import { bodiesOf, withBodies } from "../../src/graph/body.ts";
import { costOf } from "../../src/graph/cost.ts";
import { toDot } from "../../src/graph/dot.ts";
import { keyOf } from "../../src/graph/key.ts";
import type { Value } from "../../src/graph/op.ts";
import { printGraph } from "../../src/graph/print.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { topological } from "../../src/graph/walk.ts";
import { backward } from "../../src/interpret/backward.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { differenceOf } from "../../src/program/compare-traces.ts";
import { schedule } from "../../src/schedule/index.ts";
import { gradients, hvp, jvp } from "../../src/transform/index.ts";
import { differentiable, nestedSamples, realise } from "./samples.ts";

const numbers = (v: Value, inputs: ReadonlyMap<Value, ArrayLike<number>> = new Map()): number[] => [...evaluate([v], inputs)[0]!];
const leaf = (index: number, shape: readonly number[], dtype: "float64" | "int32" = "float64"): Value =>
  o.argument(index, { shape, dtype });
const scalar = (value: number): Value => o.scalarConstant(value, "float64");
const loops = (outputs: readonly Value[]): Value[] => topological(outputs).filter((v) => v.op === o.loopOp);

/** y ← y · w + x along x. */
const horner = (y: Value, w: Value, x: Value, options: Partial<o.LoopOptions> = {}): o.LoopResults =>
  o.loop([y], [x], ([at], [next]) => ({ carry: [o.add(o.mul(at!, w), next!)], kept: [at!] }), { length: x.shape[0]!, ...options });

describe("A loop", () => {
  const [y, w, x] = [leaf(0, []), leaf(1, []), leaf(2, [4])];
  const inputs = new Map([[y, [1]], [w, [2]], [x, [1, 2, 3, 4]]]); // biome-ignore format: pairs

  test("carries values from turn to turn and keeps what is asked for", () => {
    const { final, kept } = horner(y, w, x);
    expect(numbers(final[0]!, inputs)).toEqual([42]);
    expect(numbers(kept[0]!, inputs)).toEqual([1, 3, 8, 19]);
    expect(kept[0]!.shape).toEqual([4]);
  });

  test("walks backwards, and what it keeps stands where it came from", () => {
    const { final, kept } = horner(y, w, x, { reverse: true });
    expect(numbers(final[0]!, inputs)).toEqual([65]);
    expect(numbers(kept[0]!, inputs)).toEqual([32, 15, 6, 1]);
  });

  test("of no turn gives what it began with and keeps nothing; one of one turn is the turn", () => {
    const none = horner(y, w, leaf(3, [0]));
    expect(numbers(none.final[0]!, new Map([...inputs, [loops(none.final)[0]!.inputs[1]!, []]]))).toEqual([1]);
    expect(none.kept[0]!.shape).toEqual([0]);
    const one = horner(y, w, o.sliceAxis(x, 0, 1, 1));
    expect(numbers(one.final[0]!, inputs)).toEqual([4]);
  });

  test("takes what it uses from outside as inputs, each once, and leaves constants inside", () => {
    const token = loops(horner(y, w, x).final)[0]!;
    expect(token.inputs).toEqual([y, x, w]);
    const cell = o.variable({ name: "W" }, { shape: [], dtype: "float64" });
    const read = o.loop([y], [], ([at]) => ({ carry: [o.add(o.mul(at!, cell), o.add(cell, scalar(1)))] }), { length: 2 });
    expect(loops(read.final)[0]!.inputs).toEqual([y, cell]);
    verifyGraph(read.final);
  });

  test("computes what its turn makes itself in the turn: without turns, nothing", () => {
    const table = o.constant(Float64Array.of(1, 2), [2], "float64");
    const index = leaf(4, [1], "int32");
    const looked = (length: number): Value =>
      o.loop([y], [], ([at]) => ({ carry: [o.add(at!, o.reshape(o.gather(table, index), []))] }), { length }).final[0]!;
    const bad = new Map([...inputs, [index, [7]]]);
    expect(numbers(looked(0), bad)).toEqual([1]);
    expect(() => numbers(looked(1), bad)).toThrow(OutOfRangeError);
  });

  test("says what does not fit", () => {
    expect(() => o.loop([y], [x], ([at]) => ({ carry: [at!] }), { length: 3 })).toThrow("loop: 3 turns along an axis of [4]");
    expect(() => o.loop([y], [x], () => ({ carry: [x] }), { length: 4 })).toThrow("loop: carry 0 is [], then [4]");
    expect(() => o.loop([y], [], ([at]) => ({ carry: [o.cast(at!, "float32")] }), { length: 1 })).toThrow(
      "carry 0 is float64, then float32",
    );
    expect(() => o.loop([y], [], () => ({ carry: [] }), { length: 1 })).toThrow("a turn takes 1 carries and gives 0");
    expect(() => o.loop([y], [], ([at]) => ({ carry: [at!] }), { length: -1 })).toThrow("the length is -1");
  });

  test("of ten thousand turns needs no stack", () => {
    const counted = o.loop([scalar(0)], [], ([n]) => ({ carry: [o.add(n!, scalar(1))] }), { length: 10_000 });
    expect(numbers(counted.final[0]!)).toEqual([10_000]);
  });

  test("draws other numbers in each turn, the same ones again, and again in its gradient", () => {
    const draw: o.Draw = { key0: o.scalarConstant(1, "uint32"), key1: o.scalarConstant(2, "uint32"), site: 3 };
    const turns = o.iota([5], 0, "uint32");
    const at = leaf(0, []);
    const { final, kept } = o.loop(
      [at],
      [turns],
      ([total], [turn]) => {
        const u = o.reshape(o.uniform(o.drawInTurn(draw, turn!), [1], "float64"), []);
        return { carry: [o.mul(total!, u)], kept: [u] };
      },
      { length: 5 },
    );
    const drawn = numbers(kept[0]!, new Map([[at, [1]]]));
    expect(new Set(drawn).size).toBe(5);
    expect(numbers(kept[0]!, new Map([[at, [7]]]))).toEqual(drawn);
    const [slope] = gradients(final[0]!, [at]);
    expect(numbers(slope!, new Map([[at, [3]]]))[0]).toBeCloseTo(
      drawn.reduce((n, u) => n * u, 1),
      15,
    );
  });

  test("has one loop back for its gradient, which walks along what the loop has kept", () => {
    const { final } = horner(y, w, x);
    const found = gradients(final[0]!, [y, w, x]) as Value[];
    expect(loops(found).map((v) => (v.attributes as o.LoopAttributes).reverse)).toEqual([false, true]);
    verifyGraph(found);
    // y·16 + 8 + 2·4 + 3·2 + 4 at w = 2: ∂/∂y = 16, ∂/∂w = 4·8 + 3·4 + 2·2·2 + 3 = 55, ∂/∂x = 8, 4, 2, 1.
    expect(found.map((g) => numbers(g, inputs))).toEqual([[16], [55], [8, 4, 2, 1]]);
  });

  test("has derivatives forwards, and of second order", () => {
    const power = o.loop([scalar(1)], [], ([p]) => ({ carry: [o.mul(p!, w)] }), { length: 5 }).final[0]!;
    expect(numbers(jvp([power], [w], [scalar(3)])[0]!, inputs)).toEqual([3 * 5 * 16]);
    expect(numbers(hvp(power, [w], [scalar(3)])[0]!, inputs)).toEqual([3 * 20 * 8]);
  });
});

describe("A branch", () => {
  const [p, x, index] = [o.argument(0, { shape: [], dtype: "bool" }), leaf(1, [2]), leaf(2, [2], "int32")];
  const chosen = o.cond(
    p,
    () => [o.square(x), x],
    () => [o.gather(x, index), o.neg(x)],
  );
  const at = (yes: number, i: readonly number[]) => new Map<Value, readonly number[]>([[p, [yes]], [x, [3, 5]], [index, i]]); // biome-ignore format: pairs

  test("gives what the predicate says, and computes only that", () => {
    expect(chosen.map((y) => numbers(y, at(1, [9, 9])))).toEqual([[9, 25], [3, 5]]); // biome-ignore format: pairs
    expect(chosen.map((y) => numbers(y, at(0, [1, 0])))).toEqual([[5, 3], [-3, -5]]); // biome-ignore format: pairs
    expect(() => numbers(chosen[0]!, at(0, [9, 9]))).toThrow(OutOfRangeError);
  });

  test("has the gradient of the branch that is taken", () => {
    const [slope] = gradients(o.sum(chosen[0]!, [0]), [x]);
    expect(numbers(slope!, at(1, [0, 0]))).toEqual([6, 10]);
    expect(numbers(slope!, at(0, [0, 0]))).toEqual([2, 0]);
  });

  test("says what does not fit", () => {
    expect(() => o.cond(x, () => [x], () => [x])).toThrow("cond: the predicate is float64 [2]"); // biome-ignore format: one line
    expect(() => o.cond(p, () => [x], () => [])).toThrow("one branch gives 1 values, the other 0"); // biome-ignore format: one line
    expect(() => o.cond(p, () => [x], () => [o.sum(x, [0])])).toThrow("result 0 is [2], then []"); // biome-ignore format: one line
  });
});

describe("Bodies", () => {
  const [y, w, x] = [leaf(0, []), leaf(1, []), leaf(2, [4])];

  test("print under their node, each numbered for itself", () => {
    const { final } = o.loop([y], [x], ([at], [next]) => ({ carry: [o.add(o.mul(at!, w), next!)] }), { length: 4 });
    expect(printGraph(final)).toBe(
      [
        "%0 = argument 0 : float64 []",
        "%1 = argument 2 : float64 [4]",
        "%2 = argument 1 : float64 []",
        "%3 = loop %0 %1 %2 {length: 4, reverse: false, carries: 1, walked: 1} : bool [0]",
        "  body 0",
        "  │ %0 = bound : float64 []",
        "  │ %1 = bound : float64 []",
        "  │ %2 = bound : float64 []",
        "  │ %3 = mul %0 %2 : float64 []",
        "  │ %4 = add %3 %1 : float64 []",
        "  │ return %4 %0",
        "%4 = result %3 {index: 0} : float64 []",
        "return %4",
      ].join("\n"),
    );
  });

  test("are verified: nothing may stand in them that is not handed in", () => {
    const { final } = horner(y, w, x);
    const token = loops(final)[0]!;
    const [body] = bodiesOf(token);
    const open = withBodies(token, [
      { parameters: body!.parameters, results: [o.add(body!.results[0]!, leaf(7, [])), ...body!.results.slice(1)] },
    ]);
    expect(() => verifyGraph([open])).toThrow(InternalError);
    expect(() => verifyGraph([open])).toThrow(/stands on argument \d+, which is not handed to it/);
  });

  test("are equal by what they compute, whoever built them: equal loops become one", () => {
    const [a, b] = [horner(y, w, x), horner(y, w, x)];
    expect(keyOf(loops(a.final)[0]!)).toBe(keyOf(loops(b.final)[0]!));
    expect(keyOf(loops(a.final)[0]!)).not.toBe(keyOf(loops(horner(y, w, x, { reverse: true }).final)[0]!));
    const other = o.loop([y], [x], ([at], [next]) => ({ carry: [o.sub(o.mul(at!, w), next!)], kept: [at!] }), { length: 4 });
    expect(keyOf(loops(a.final)[0]!)).not.toBe(keyOf(loops(other.final)[0]!));
    expect(loops(optimise([o.add(a.final[0]!, b.final[0]!), other.final[0]!])).length).toBe(2);
  });

  test("are simplified as graphs are, and nested ones too", () => {
    const one = scalar(1);
    const inner = (at: Value): Value => o.loop([at], [], ([z]) => ({ carry: [o.mul(o.neg(o.neg(z!)), one)] }), { length: 2 }).final[0]!;
    const { final } = o.loop([y], [x], ([at], [next]) => ({ carry: [o.add(o.mul(inner(at!), one), o.add(next!, next!))] }), { length: 4 });
    const [simple] = optimise(final);
    const names = (v: Value): string[] =>
      topological([v]).flatMap((n) => [n.op.name, ...bodiesOf(n).flatMap((b) => b.results.flatMap(names))]);
    expect(names(final[0]!)).toContain("mul");
    expect(names(simple!)).not.toContain("mul");
    expect(names(simple!)).not.toContain("neg");
    verifyGraph([simple!]);
    const inputs = new Map([[y, [2]], [x, [1, 2, 3, 4]]]); // biome-ignore format: pairs
    expect(numbers(simple!, inputs)).toEqual(numbers(final[0]!, inputs));
  });

  test.each(nestedSamples)("$title: simplified, it has the same values and gradients, of first and second order", ({ sample }) => {
    const { y, xs, inputs } = realise(sample, "float64", 3);
    const wrt = differentiable(y, xs);
    const total = (v: Value): Value => o.sum(o.square(v), [...v.shape.keys()]);
    const first = gradients(total(y), wrt).filter((g) => g !== null);
    const outputs = [y, ...first, ...first.flatMap((g) => gradients(total(g), wrt)).filter((g) => g !== null)];
    const simple = optimise(outputs);
    verifyGraph(simple);
    const [before, after] = [evaluate(outputs, inputs), evaluate(simple, inputs)];
    before.forEach((numbers, k) => {
      numbers.forEach((n, i) => {
        expect(Math.abs(after[k]![i]! - n), `output ${k}, element ${i}`).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(n)));
      });
    });
  });

  test("cost what they cost as often as they run", () => {
    const turn = 2;
    expect(costOf(horner(y, w, x).final).flops).toBe(4 * turn);
    const [taken] = o.cond(o.argument(0, { shape: [], dtype: "bool" }), () => [o.exp(x)], () => [x]); // biome-ignore format: one line
    expect(costOf([taken!]).flops).toBe(4);
  });

  test("are drawn as boxes beside their node", () => {
    const picture = toDot(horner(y, w, x).final);
    expect(picture).toContain('label="loop, body 0"');
    expect(picture).toContain('label="loop 0\\nfloat64 []"');
    expect(picture.match(/subgraph cluster_/g)).toHaveLength(1);
  });

  test("of two traces are compared: a number that changed is named", () => {
    const counted = (by: number): Value[] => o.loop([y], [], ([n]) => ({ carry: [o.add(n!, scalar(by))] }), { length: 2 }).final;
    expect(differenceOf(counted(1), counted(1))).toBeUndefined();
    expect(differenceOf(counted(1), counted(2))?.what).toContain("constant: the number 1, then 2");
    const longer = o.loop([y], [], ([n]) => ({ carry: [o.add(n!, scalar(1))] }), { length: 3 }).final;
    expect(differenceOf(counted(1), longer)?.what).toContain("length: 2");
  });

  test("make no program: the error says where they run", () => {
    const { final } = horner(y, w, x);
    const compiled = () => schedule({ outputs: optimise(final), assignments: [] });
    expect(compiled).toThrow(GraphError);
    expect(compiled).toThrow("loop: is not compiled yet");
    expect(compiled).toThrow('device: "interpreter"');
  });

  test("are not gone through with numbers alone: the error names gradients", () => {
    const { final } = horner(y, w, x);
    const inputs = new Map([[y, [1]], [w, [2]], [x, [1, 2, 3, 4]]]); // biome-ignore format: pairs
    expect(() => backward(final[0]!, [w], inputs)).toThrow("gradients(y, xs) differentiates them");
  });
});

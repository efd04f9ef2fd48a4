import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DType } from "../../src/core/dtype.ts";
import { DTypeError } from "../../src/core/errors.ts";
import { BASIC, call, constant, type Expr, operands } from "../../src/kernel/expr.ts";
import { expand } from "../../src/kernel/math/index.ts";
import { type Compiled, compile, countOperations, fma32, fma64, input } from "./basic-evaluator.ts";
import { ACCURACY, FLOAT_NAMES, FUNCTIONS, type FunctionName, loadMath, NAMES, ulps } from "./math-fixtures.ts";

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;

/** A function of inputs, expanded. */
function expanded(name: FunctionName, dtype: DType): Expr {
  const inputs = Array.from({ length: ACCURACY[name].operands }, (_, i) => input(i, dtype));
  return expand([call(FUNCTIONS[name], inputs)])[0]!;
}
const run = (name: FunctionName, dtype: DType, fused = true): Compiled => compile(expanded(name, dtype), { fused });

function nodes(roots: readonly Expr[]): Set<Expr> {
  const seen = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    operands(e).forEach(visit);
    if (e.op === "repeat") visit(e.step);
  };
  roots.forEach(visit);
  return seen;
}

describe("exact values", () => {
  test("are kept of every function of floats, in both types", () => {
    const kept = loadMath().map(({ name, dtype }) => `${name} in ${dtype}`);
    expect(kept.toSorted()).toEqual(FLOAT_NAMES.flatMap((name) => [`${name} in float32`, `${name} in float64`]).toSorted());
  });
  for (const { name, dtype, rows } of loadMath()) {
    for (const fused of [true, false]) {
      test(`${name} in ${dtype} is within ${ACCURACY[name][dtype]} ulp with fma ${fused ? "rounded once" : "rounded twice"}`, () => {
        const compute = run(name, dtype, fused);
        const bad = rows
          .map(({ inputs, value, more }) => ({ inputs, value, got: compute(...inputs), more }))
          .map((row) => ({ ...row, error: ulps(row.got, row.value, row.more, dtype) }))
          .filter(({ error }) => !(error <= ACCURACY[name][dtype]));
        expect(rows.length).toBeGreaterThan(100);
        expect(bad).toEqual([]);
      });
    }
  }
});

describe("sweeps of float32 against float64", { tags: ["slow"] }, () => {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const floatOf = (u: number): number => {
    bits[0] = u;
    return float[0]!;
  };
  // Steps coprime to everything: all exponents, both signs, mixed mantissas.
  const STEPS = [52_711, 1_640_531_527] as const;
  const sweep = (name: FunctionName, fused: boolean): number => {
    const compute = run(name, "float32", fused);
    const { meaning } = FUNCTIONS[name];
    const exactly = ACCURACY[name].float32 === 0;
    let worst = 0;
    for (let k = 0; k * STEPS[0] < 2 ** 32; k++) {
      const args = STEPS.slice(0, ACCURACY[name].operands).map((step) => floatOf(k * step));
      if (args.some(Number.isNaN)) continue;
      const value = meaning(args, "float32");
      worst = Math.max(worst, ulps(compute(...args), exactly ? Math.fround(value) : value, 0, "float32"));
    }
    return worst;
  };
  for (const name of FLOAT_NAMES)
    test(`${name} keeps its bound over all exponents`, () => {
      expect(sweep(name, true)).toBeLessThanOrEqual(ACCURACY[name].float32);
      expect(sweep(name, false)).toBeLessThanOrEqual(ACCURACY[name].float32);
    });
});

describe("what users rely on", () => {
  const floats = ["float32", "float64"] as const;
  test("tanh and erf never leave [-1, 1] and are odd", () => {
    for (const dtype of floats)
      for (const name of ["tanh", "erf"] as const) {
        const f = run(name, dtype);
        const xs = Array.from({ length: 7000 }, (_, i) => i * 0.00173);
        expect(xs.filter((x) => !(f(x) <= 1 && Object.is(f(-x), -f(x))))).toEqual([]);
      }
  });
  test("sin and cos of huge arguments stay within 1", () => {
    for (const dtype of floats)
      for (const name of ["sin", "cos"] as const) {
        const f = run(name, dtype);
        for (const x of [1.7e6, 3.3e7, 1e10, 9.9e20, 3e38, 1e300]) {
          if (dtype === "float32" && x > 3.4e38) continue;
          expect(Math.abs(f(x))).toBeLessThanOrEqual(1);
          expect(f(-x)).toBe(name === "sin" ? -f(x) : f(x));
        }
      }
  });
  test("exp reaches denormals, zero and infinity", () => {
    const f = run("exp", "float32");
    expect(f(-100)).toBeCloseTo(Math.fround(Math.exp(-100)), 50);
    expect([f(-103.9), f(-104.5), f(-INF), f(89), f(INF), f(NAN)]).toEqual([2 ** -149, 0, 0, INF, INF, NAN]);
    expect(run("exp", "float64")(-745)).toBe(2 ** -1074);
  });
  test("powers with small constant exponents need no logarithm and keep the edges", () => {
    for (const y of [0, 1, 2, 3, 4, -1, -2, 0.5, -0.5])
      for (const dtype of floats) {
        const [e] = expand([call(FUNCTIONS.pow, [input(0, dtype), constant(y, dtype)])]);
        expect(countOperations([e!])).toBeLessThan(7);
        const f = compile(e!, { fused: true });
        for (const x of [0, -0, 1, -1, 0.3, -1.7, 12, INF, -INF, NAN]) {
          const argument = dtype === "float32" ? Math.fround(x) : x;
          expect(ulps(f(argument), argument ** y, 0, dtype), `${x}^${y}`).toBeLessThanOrEqual(2);
        }
      }
  });
});

describe("min, max and sign", () => {
  const some = [0, -0, 1, -1, 2.5, -3, INF, -INF, NAN];
  for (const dtype of ["float32", "float64"] as const)
    test(`${dtype} minimum and maximum give NaN where either operand is NaN, and hold −0 for less than 0`, () => {
      const [least, most] = [run("min", dtype), run("max", dtype)];
      for (const a of some)
        for (const b of some) {
          expect(least(a, b)).toBe(Math.min(a, b));
          expect(most(a, b)).toBe(Math.max(a, b));
        }
      for (const k of some)
        for (const a of some)
          for (const [op, exact] of [["min", Math.min], ["max", Math.max]] as const) // biome-ignore format: pairs
            for (const args of [[input(0, dtype), constant(k, dtype)], [constant(k, dtype), input(0, dtype)]]) // biome-ignore format: pairs
              expect(compile(expand([call(FUNCTIONS[op], args)])[0]!, { fused: true })(a), `${op}(${a}, ${k})`).toBe(exact(a, k));
    });
  test("a maximum with a constant is one operation, with 0 two, and still gives NaN", () => {
    for (const k of [0, 6])
      for (const args of [
        [input(0, "float32"), constant(k, "float32")],
        [constant(k, "float32"), input(0, "float32")],
      ]) {
        const [e] = expand([call(FUNCTIONS.max, args)]);
        expect(countOperations([e!])).toBe(k === 0 ? 2 : 1);
        const clipped = compile(e!, { fused: true });
        expect([clipped(-2), clipped(7), clipped(NAN)]).toEqual([k, 7, NAN]);
      }
    const [e] = expand([call(FUNCTIONS.max, [input(0, "float32"), constant(NAN, "float32")])]);
    expect(compile(e!, { fused: true })(1)).toBe(NAN);
  });
  test("integers and booleans have extremes and a sign", () => {
    expect(run("min", "int32")(-5, 3)).toBe(-5);
    expect(run("max", "uint32")(4e9, 3)).toBe(4e9);
    expect([run("min", "bool")(1, 0), run("max", "bool")(1, 0)]).toEqual([0, 1]);
    expect([-7, 0, 9].map((x) => run("sign", "int32")(x))).toEqual([-1, 0, 1]);
    expect([0, 9].map((x) => run("sign", "uint32")(x))).toEqual([0, 1]);
  });
  test("sign keeps NaN and the sign of zero", () => {
    for (const dtype of ["float32", "float64"] as const)
      expect([-2, -0, 0, 0.1, INF, NAN].map((x) => run("sign", dtype)(x))).toEqual([-1, -0, 0, 1, 1, NAN]);
  });
});

describe("threefry", () => {
  // From the tests of the Random123 library: key, counter, result.
  const VECTORS = [
    [0, 0, 0, 0, 0x6b200159, 0x99ba4efe],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
    [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0],
  ] as const;
  test("gives the published test vectors", () => {
    const [first, second] = [run("threefry0", "uint32"), run("threefry1", "uint32")];
    for (const [k0, k1, c0, c1, r0, r1] of VECTORS) {
      expect(first(k0, k1, c0, c1)).toBe(r0);
      expect(second(k0, k1, c0, c1)).toBe(r1);
    }
  });
  test("computes its rounds once for both words", () => {
    const inputs = (): Expr[] => [0, 1, 2, 3].map((i) => input(i, "uint32"));
    const both = expand([call(FUNCTIONS.threefry0, inputs()), call(FUNCTIONS.threefry1, inputs())]);
    expect(countOperations(both)).toBeLessThan(countOperations([both[0]!]) + 9);
  });
});

describe("expand", () => {
  test("leaves only basic operations, whose operands have the types they need", () => {
    for (const dtype of ["float32", "float64"] as const)
      for (const name of FLOAT_NAMES) {
        const e = expanded(name, dtype);
        expect(e.dtype).toBe(dtype);
        for (const node of nodes([e])) {
          if (node.op === "load" || node.op === "const" || node.op === "parameter") continue;
          if (node.op === "repeat") {
            const [times, start] = node.args;
            expect([times.dtype, start.dtype, node.step.dtype]).toEqual(["int32", node.dtype, node.dtype]);
            continue;
          }
          expect(BASIC).toContain(node.op);
          const types = operands(node).map((x) => x.dtype);
          if (node.op === "select") expect([types[0], types[1], types[2]]).toEqual(["bool", node.dtype, node.dtype]);
          else expect(new Set(types).size).toBe(1);
          if (["add", "sub", "mul", "div", "fma", "pmin", "pmax", "and", "or", "xor", "shl", "shr"].includes(node.op))
            expect(types[0]).toBe(node.dtype);
        }
      }
  });
  test("float32 functions stay in float32, but for powers", () => {
    for (const name of FLOAT_NAMES.filter((each) => each !== "pow"))
      for (const node of nodes([expanded(name, "float32")])) expect(node.dtype).not.toBe("float64");
  });
  test("shares equal subexpressions of all roots", () => {
    const roots = expand([call(FUNCTIONS.sin, [input(0, "float32")]), call(FUNCTIONS.cos, [input(0, "float32")])]);
    expect(countOperations(roots)).toBeLessThan(countOperations([roots[0]!]) + 9);
  });
  test("reaches functions within reductions and functions of functions", () => {
    const e: Expr = {
      op: "reduce",
      combine: "sum",
      over: [1],
      of: call(FUNCTIONS.exp, [call(FUNCTIONS.log, [input(0, "float32")])]),
      dtype: "float32",
    };
    for (const node of nodes(expand([e]))) expect(node.op).not.toBe("call");
  });
  test("keeps −0 and 0 apart", () => {
    const [a, b] = expand([constant(-0, "float32"), constant(0, "float32")]);
    expect(a).not.toBe(b);
  });
  test("knows each function by a name of its own", () => {
    expect(NAMES.map((name) => FUNCTIONS[name].name)).toEqual(NAMES);
  });
  test("rejects functions that an element type does not have", () => {
    expect(() => expanded("exp", "int32")).toThrow(DTypeError);
    expect(() => expanded("pow", "int32")).toThrow(/pow does not exist for int32/);
    expect(() => expanded("threefry0", "float32")).toThrow(/cast the operand first/);
  });
  test("costs no more operations than it did", () => {
    for (const name of NAMES) {
      const dtype = FUNCTIONS[name].types[0]!;
      expect(countOperations([expanded(name, dtype)]), name).toBeLessThanOrEqual(ACCURACY[name].operations);
    }
  });
});

describe("the evaluator's fma", () => {
  test("rounds once", () => {
    expect(fma32(1 + 2 ** -23, 1 - 2 ** -23, -1)).toBe(-(2 ** -46));
    expect(fma64(1 + 2 ** -52, 1 - 2 ** -52, -1)).toBe(-(2 ** -104));
    // Halfway between two float32 but for a bit far below: rounding twice would go to even.
    expect(fma32(1 + 2 ** -23, 2 ** -24, 1 + 2 ** -60)).toBe(Math.fround(1 + 2 ** -23));
  });
  test("is the sum where the product is exact", () => {
    fc.assert(
      fc.property(fc.integer({ min: -4096, max: 4096 }), fc.integer({ min: -4096, max: 4096 }), fc.double({ noNaN: true }), (a, b, c) =>
        Object.is(fma64(a, b, c) + 0, a * b + c + 0),
      ),
    );
    fc.assert(
      fc.property(fc.integer({ min: -2048, max: 2048 }), fc.integer({ min: -2048, max: 2048 }), fc.float({ noNaN: true }), (a, b, c) =>
        Object.is(fma32(a, b, c) + 0, Math.fround(a * b + c) + 0),
      ),
    );
  });
});

/** A schedule that is not what it promises is refused, whatever is wrong with it. */
import { describe, expect, test } from "vitest";
import { type Access, cast, constant, type Expr, index, load, reduce, scalar } from "../../src/kernel/expr.ts";
import type { Kernel, Product, Rows, Serial } from "../../src/kernel/kernel.ts";
import type { Buffer, Place } from "../../src/kernel/program.ts";
import type { Schedule, ScheduleStep } from "../../src/kernel/schedule.ts";
import { verifyKernels } from "../../src/kernel/verify.ts";
import { STEPS } from "../snapshots/steps.ts";

const PLACES: readonly (readonly [Place, Buffer["dtype"], number])[] = [
  ["argument", "float32", 12],
  ["argument", "int32", 12],
  ["scratch", "float32", 12],
  ["output", "float32", 12],
  ["variable", "float32", 12],
  ["scratch", "float64", 12],
];
const [X, AT, S, OUT, VARIABLE, DOUBLE] = [0, 1, 2, 3, 4, 5];

const at = (buffer: number, strides: readonly number[] = [4, 1], offset = 0): Access => ({ buffer, offset, strides });
const x = (strides?: readonly number[], offset?: number): Expr => load(at(X, strides, offset), "float32");

/** out[i, j] = value over [3, 4], and what the test changes. */
const rows = (value: Expr, change: Partial<Rows> = {}): Rows => ({
  kind: "rows",
  outer: [3, 4],
  inner: [],
  stores: [{ to: at(OUT), value }],
  guards: [],
  ...change,
});

const scheduleOf = (steps: readonly (Kernel | "commit")[]): Schedule => ({
  buffers: PLACES.map(([place, dtype, n], id) => ({ id, place, dtype, bytes: n * (dtype === "float64" ? 8 : 4) })),
  steps: steps.map((k): ScheduleStep => (k === "commit" ? { do: "commit" } : { do: "kernels", label: "test", kernels: [k] })),
  checks: [{ what: "index", label: "test", bound: 12 }],
});
const verify = (...steps: (Kernel | "commit")[]) => verifyKernels(scheduleOf(steps));

const product = (change: Partial<Product> = {}): Product => ({
  kind: "product",
  dtype: "float32",
  batch: [],
  m: 3,
  n: 4,
  k: [3],
  a: { buffer: X, offset: 0, batchStrides: [], rowStride: 3, depthStrides: [1] },
  b: { buffer: VARIABLE, offset: 0, batchStrides: [], rowStride: 3, depthStrides: [1] },
  clips: [],
  stores: [{ to: at(OUT), value: { op: "accumulator", dtype: "float32" } }],
  ...change,
});
const inside = (bound: number, of: Expr = load(at(AT), "int32")): Expr => ({
  op: "inRange",
  of,
  bound,
  fromEnd: false,
  check: 0,
  dtype: "int32",
});
const gather = (where: Expr, stride = 1): Expr => ({ op: "loadAt", from: at(X, [0, 0]), at: where, stride, dtype: "float32" });
const sum = (over: readonly number[], of: Expr): Expr => reduce("sum", over, of);
const write = (buffer: number, change: Partial<Rows> = {}): Rows => rows(x(), { stores: [{ to: at(buffer), value: x() }], ...change });

describe("A schedule", () => {
  test("of typical steps is what it promises.", () => {
    for (const step of Object.values(STEPS)) expect(() => verifyKernels(step())).not.toThrow();
  });

  test("may read backwards, write through strides, gather what is checked, and update in place.", () => {
    expect(() => verify(rows(x([-4, -1], 11)))).not.toThrow();
    expect(() => verify(rows(x(), { stores: [{ to: at(OUT, [1, 3]), value: x() }] }))).not.toThrow();
    expect(() => verify(rows(gather(inside(12))), "commit")).not.toThrow();
    expect(() => verify(rows(gather(scalar("add", [index(0), index(1)]))))).not.toThrow();
    expect(() => verify(product())).not.toThrow();
    const own = scalar("add", [load(at(VARIABLE), "float32"), x()]);
    expect(() => verify(rows(own, { stores: [{ to: at(VARIABLE), value: own }] }), rows(x()))).not.toThrow();
    const total = sum([2], load(at(X, [4, 0, 1]), "float32"));
    expect(() => verify(rows(total, { outer: [3, 4], inner: [4], stores: [{ to: at(OUT, [4, 1, 0]), value: total }] }))).not.toThrow();
  });

  const faults: readonly (readonly [fault: string, steps: readonly (Kernel | "commit")[], says: RegExp])[] = [
    ["a read past the end of its buffer", [rows(x([4, 1], 1))], /reaches the elements 1 … 12 of buffer 0, which has 12/],
    ["a read before its beginning", [rows(x([-4, 1]))], /reaches the elements -8 … 3/],
    ["a store outside its buffer", [rows(x(), { stores: [{ to: at(OUT, [5, 1]), value: x() }] })], /reaches the elements 0 … 13/],
    ["a gather whose index is checked against another bound", [rows(gather(inside(13))), "commit"], /reaches the elements 0 … 12/],
    ["a gather by positions that are too large", [rows(gather(scalar("add", [index(0), index(1)]), 3))], /reaches the elements 0 … 15/],
    ["a gather by what nobody has checked", [rows(gather(load(at(AT), "int32")))], /nothing says that a position in buffer 0 is inside it/],
    ["an operand of a product outside its buffer", [product({ k: [5] })], /reaches the elements 0 … 13 of buffer 4|reaches the elements 0 … 10/],
    ["a read of what is not written yet", [rows(load(at(S), "float32")), write(S)], /reads buffer 2 before all of it is written/],
    ["a read of what is written in part", [write(S, { outer: [2, 4] }), rows(load(at(S), "float32"))], /before all of it is written/],
    ["an output that is written in part", [write(OUT, { outer: [2, 4] })], /the output 3 is not written, or not all of it/],
    ["an output that nobody writes", [write(VARIABLE)], /the output 3 is not written/],
    ["scratch that nobody reads", [write(S), rows(x())], /scratch 2 is written and never read/],
    ["two writers of a buffer", [rows(x()), rows(x())], /step 0 writes buffer 3 too/],
    ["a write into an argument", [write(X), rows(x())], /writes into the argument 0/],
    ["stores that meet", [rows(x(), { stores: [{ to: at(OUT, [1, 1]), value: x() }] })], /two points of its domain store to the same element/],
    ["stores that do not move along an axis", [rows(x(), { stores: [{ to: at(OUT, [0, 1]), value: x() }] })], /two points of its domain/],
    ["a store inside a reduction's axis to one element", [rows(x(), { inner: [4], stores: [{ to: at(OUT, [4, 1, 0]), value: load(at(X, [4, 0, 1]), "float32") }] })], /two points of its domain/],
    ["two stores to one buffer", [rows(x(), { stores: [{ to: at(OUT), value: x() }, { to: at(OUT), value: x() }] })], /stores to buffer 3 twice/],
    ["a read of other elements than it writes", [rows(x(), { stores: [{ to: at(VARIABLE), value: load(at(VARIABLE, [1, 3]), "float32") }] })], /reads other elements of buffer 4 than the one it writes/],
    ["a product into its own operand", [product({ stores: [{ to: at(VARIABLE), value: { op: "accumulator", dtype: "float32" } }] })], /writes into its own operand/],
    ["a position along an axis it does not have", [rows(cast(index(2), "float32"))], /position along axis 2/],
    ["a reduction over an axis of the result", [rows(sum([1], x()))], /reduces over the axes 1/],
    ["an access over other axes", [rows(load(at(X, [1]), "float32"))], /a read has 1 strides over 2 axes/],
    ["an accumulator outside a product", [rows({ op: "accumulator", dtype: "float32" })], /its accumulator is none/],
    ["a read as another type", [rows(load(at(AT), "float32"))], /reads int32 as float32/],
    ["an operation on two types", [rows(scalar("add", [x(), load(at(AT), "int32")]))], /add of float32, int32 is float32/],
    ["a store of another type", [rows(x(), { stores: [{ to: at(DOUBLE), value: x() }] })], /stores float32 into float64/],
    ["an operand of another type", [product({ a: { buffer: AT, offset: 0, batchStrides: [], rowStride: 3, depthStrides: [1] } })], /an operand is int32/],
    ["a check after the commit", [rows(gather(inside(12))), "commit", write(VARIABLE, { guards: [{ check: 0, bad: constant(1, "bool") }] })], /can fail after the commit/],
    ["a variable written before the commit", [write(VARIABLE), rows(gather(inside(12))), "commit"], /writes a variable before the commit/],
    ["a check without a commit", [rows(gather(inside(12)))], /0 commits where a check can fail/],
    ["a check that is not there", [rows(x(), { guards: [{ check: 7, bad: constant(1, "bool") }] }), "commit"], /there is no check 7/],
    ["a guard over a reduction's axis", [rows(x(), { inner: [4], stores: [{ to: at(OUT, [4, 1, 0]), value: constant(1, "float32") }], guards: [{ check: 0, bad: scalar("ne", [load(at(X, [0, 0, 1]), "float32"), constant(0, "float32")], "bool") }] }), "commit"], /a guard depends on an axis/],
    ["a buffer that is not there", [rows(load(at(99), "float32"))], /there is no buffer 99/],
    ["a serial kernel that reads too much", [{ kind: "serial", template: { name: "test" }, attributes: {}, dtype: "float32", reads: [at(X)], shapes: [[4, 4]], write: at(OUT) } satisfies Serial], /reads outside buffer 0/],
  ]; // biome-ignore format: a table
  test.each(faults)("with %s is refused.", (_, steps, says) => {
    expect(() => verify(...steps)).toThrow(says);
  });
});

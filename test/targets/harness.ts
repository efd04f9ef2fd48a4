/** Every compiled target, and how a graph on it is compared with the interpreter. */
import { expect } from "vitest";
import { type DType, isFloat, store } from "../../src/core/dtype.ts";
import type { ArgumentAttributes, Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import { lower } from "../../src/lower/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import { hasRelaxedSimd } from "../../src/runtime/wasm-features.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { schedule } from "../../src/schedule/index.ts";
import type { Order } from "../../src/schedule/layout.ts";
import { randomNumbers } from "../ops/samples.ts";
import { type GraphRunner, loadGraph, type RunOptions } from "../schedule/run.ts";
import { KernelRunner } from "./kernel-target.ts";

export interface TargetCase {
  readonly name: string;
  /** Why it cannot run here. */
  readonly missing?: string | undefined;
  /** All programs run on all threads, however small they are. */
  readonly threads: "one" | "all";
  readonly levels: readonly (0 | 1)[];
  /** Every new kernel costs a compiler's time: suites then leave out what differs in nothing but names. */
  readonly slow?: boolean;
  /** Whether `npm run quick` looks at it: at one target, and not at its long suites. */
  readonly quick?: boolean;
  /** Results of one case are also computed each by a program of its own, not only together. */
  readonly apart?: boolean;
  /** Every value is stored, with its axes in this order. */
  readonly order?: (v: Value) => Order;
  open(): GraphRunner;
}

const native = nativeAvailable();

/** The native target with vectors of so many bytes, where the machine has them. */
export function nativeOf(vectorBytes: 16 | 32 | 64): TargetCase {
  const missing = native.available
    ? native.vectorBytes < vectorBytes
      ? "this machine has no vectors of that length"
      : undefined
    : native.reason;
  return {
    name: `native, two threads, vectors of ${vectorBytes} bytes`,
    missing,
    threads: "all",
    levels: [1],
    slow: true,
    open: () => new NativeRunner({ threads: 2, vectorBytes }),
  };
}

const TABLE = {
  relaxed: {
    name: "WebAssembly with relaxed SIMD",
    quick: true,
    missing: hasRelaxedSimd() ? undefined : "this engine has no relaxed SIMD",
    threads: "one",
    levels: [1, 0],
    apart: true,
    open: () => new WasmRunner({ threads: 1 }),
  },
  strict: {
    name: "WebAssembly without relaxed SIMD, two threads",
    threads: "all",
    levels: [1, 0],
    open: () => new WasmRunner({ threads: 2, relaxed: false }),
  },
  native: {
    name: "native, two threads",
    missing: native.available ? undefined : native.reason,
    threads: "all",
    levels: [1],
    slow: true,
    open: () => new NativeRunner({ threads: 2 }),
  },
  kernels: {
    name: "kernels as they are",
    threads: "one",
    levels: [1, 0],
    open: () => new KernelRunner(),
  },
} satisfies Record<string, TargetCase>;
export const TARGETS: Record<keyof typeof TABLE, TargetCase> = TABLE;

export type Inputs = ReadonlyMap<Value, ArrayLike<number>>;

export interface Comparison {
  readonly levels?: readonly (0 | 1)[];
  readonly threads?: "one" | "all";
  /** How many times further than float rounding alone the result may be off. */
  readonly slack?: number;
  readonly order?: ((v: Value) => Order) | undefined;
}

/** Inputs as the machine stores them. */
export const stored = (inputs: Inputs): Map<Value, Float64Array> =>
  new Map([...inputs].map(([v, data]) => [v, Float64Array.from(data, (x) => store(x, v.dtype))]));

/** Numbers that are right, and how far off each may be. */
export interface Reference {
  readonly numbers: Float64Array;
  readonly allowed: number;
}

const EPSILON: Partial<Record<DType, number>> = { float32: 2 ** -24, float64: 2 ** -53 };

/** Every float moved by one unit in the last place or less: what comes of it is what no float computation can avoid. */
function shaken(inputs: Inputs, single: boolean): Map<Value, Float64Array> {
  const random = randomNumbers(3);
  const shake = (x: number, dtype: DType): number => x * (1 + (2 * random() - 1) * 2 * EPSILON[single ? "float32" : dtype]!);
  return new Map([...inputs].map(([v, data]) => [v, Float64Array.from(data, (x) => (isFloat(v.dtype) ? shake(x, v.dtype) : x))]));
}

/**
 * The interpreter's results in float64. The allowance is what float rounding makes of the same graph: some ulp of the largest element,
 * what comes of inputs that are an ulp off, and for float32 what the interpreter itself loses when it rounds after each node.
 */
export function reference(outputs: readonly Value[], inputs: Inputs, slack = 1): Reference[] {
  const exact = evaluate(outputs, inputs);
  const single = topological(outputs).some((v) => v.dtype === "float32");
  const others = [evaluate(outputs, shaken(inputs, single))];
  if (single) others.push(evaluate(outputs, inputs, { round: true }));
  return outputs.map((v, i) => {
    const numbers = exact[i]!;
    if (!isFloat(v.dtype)) return { numbers, allowed: 0 };
    let [largest, lost] = [0, 0];
    numbers.forEach((x, k) => {
      if (!Number.isFinite(x)) return;
      largest = Math.max(largest, Math.abs(x));
      for (const other of others) lost = Math.max(lost, Math.abs(x - other[i]![k]!) || 0);
    });
    const epsilon = EPSILON[single ? "float32" : v.dtype]!;
    return { numbers, allowed: slack * (8 * lost + (single ? 16 : 512) * epsilon * Math.max(largest, 2 ** -20)) };
  });
}

/** Runs a graph on a device; `inputs` are by argument. */
export function runOn(
  device: GraphRunner,
  outputs: readonly Value[],
  inputs: Inputs,
  { optimize = 1, threads = "one", order }: RunOptions = {},
): number[][] {
  const loaded = loadGraph(device, outputs, { optimize, threads, order });
  try {
    for (const [v, data] of inputs)
      if (v.op.kind === "leaf" && v.op.source === "argument") loaded.set((v.attributes as ArgumentAttributes).index, data);
    const status = loaded.run();
    expect(status).toEqual({ ok: true });
    return loaded.outputs();
  } finally {
    loaded.dispose();
  }
}

/** The first element that is too far off, or undefined. */
export function difference(got: readonly number[], { numbers, allowed }: Reference): string | undefined {
  if (got.length !== numbers.length) return `${got.length} elements instead of ${numbers.length}`;
  for (let i = 0; i < got.length; i++) {
    const [g, w] = [got[i]!, numbers[i]!];
    if (g === w || (Number.isNaN(g) && Number.isNaN(w)) || Math.abs(g - w) <= allowed) continue;
    return `element ${i} is ${g} instead of ${w} (allowed ${allowed})`;
  }
  return undefined;
}

/** Expects a graph to give the interpreter's numbers at optimize 1 and 0. */
export function expectSame(device: GraphRunner, outputs: readonly Value[], given: Inputs, options: Comparison = {}): void {
  const inputs = stored(given);
  const wanted = reference(outputs, inputs, options.slack);
  for (const optimize of options.levels ?? [1, 0]) {
    const got = runOn(device, outputs, inputs, { ...options, optimize });
    outputs.forEach((v, i) => {
      expect(difference(got[i]!, wanted[i]!), `output ${i} (${v.op.name}) at optimize ${optimize}`).toBe(undefined);
    });
  }
}

/** Compiles the kernels of many graphs at once where a compiler is a process: one at a time would take minutes. */
export function compileAhead(device: GraphRunner, graphs: readonly (readonly Value[])[]): void {
  if (!(device instanceof NativeRunner)) return;
  const codes = graphs.flatMap((outputs) => lower(schedule({ outputs: optimise(outputs), assignments: [] }), device.target).codes);
  device.compiler.functions([...new Map(codes.map((code) => [code.key, code])).values()]);
}

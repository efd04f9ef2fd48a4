/**
 * Kernels of one structure are lowered once in a program: a network's layers repeat, and so do the turns of an unrolled loop. Two have one
 * structure if they differ only in which buffers and checks they name.
 */
import type { DType } from "../core/dtype.ts";
import { accessKey, type Names, operands } from "../kernel/expr.ts";
import { type Kernel, nodesOf, type Operand } from "../kernel/kernel.ts";
import type { Argument } from "../kernel/program.ts";
import { ownFacts } from "../kernel/share.ts";
import type { Lowered, LoweringContext, Target } from "./target.ts";

/** Buffers and checks in the order in which a kernel names them. */
class Met implements Names {
  readonly buffers: number[] = [];
  readonly checks: number[] = [];
  buffer(number: number): number {
    return place(this.buffers, number);
  }
  check(number: number): number {
    return place(this.checks, number);
  }
}

function place(list: number[], number: number): number {
  const known = list.indexOf(number);
  return known >= 0 ? known : list.push(number) - 1;
}

/** A kernel that was lowered: what it named, and what its lowering asked for. */
interface Known<M> {
  readonly lowered: Lowered<M>;
  readonly met: Met;
  readonly asked: readonly { readonly buffer: number; readonly bytes: number; readonly dtype: DType }[];
}

/** The target, for one program. */
export function onceEach<M>(target: Target<M>): Target<M> {
  const known = new Map<string, Known<M>>();
  return {
    lower(kernel, context) {
      const met = new Met();
      const key = structureOf(kernel, met, context);
      const before = key === undefined ? undefined : known.get(key);
      if (before) return renamed(before, met, context);
      const asked: { buffer: number; bytes: number; dtype: DType }[] = [];
      const allocate = (bytes: number, dtype: DType): number => {
        const buffer = context.allocate(bytes, dtype);
        asked.push({ buffer, bytes, dtype });
        return buffer;
      };
      const lowered = target.lower(kernel, { ...context, allocate });
      if (key !== undefined) known.set(key, { lowered, met, asked });
      return lowered;
    },
  };
}

/** All that a kernel says, with buffers and checks by when they are met; nothing of serial ones, which are rare. */
function structureOf(kernel: Kernel, met: Met, { dtypeOf, sizeOf, isSettled }: LoweringContext): string | undefined {
  if (kernel.kind === "serial") return undefined;
  const numbers = new Map<object, number>();
  const lines = nodesOf(kernel).map((e, i) => {
    numbers.set(e, i);
    return `${e.op} ${e.dtype} ${ownFacts(e, met)} ${operands(e).map((x) => numbers.get(x))}`;
  });
  for (const s of kernel.stores) lines.push(`${accessKey(s.to, met)} ${numbers.get(s.value)}`);
  if (kernel.kind === "rows") {
    for (const g of kernel.guards) lines.push(`${met.check(g.check)} ${numbers.get(g.bad)}`);
    lines.push(`${kernel.outer}|${kernel.inner}`);
  } else {
    const operand = (o: Operand): string => `${met.buffer(o.buffer)}+${o.offset}:${o.batchStrides}|${o.rowStride}|${o.depthStrides}`;
    if (kernel.clips.length > 0) lines.push(`in ${sizeOf(kernel.a.buffer)} and ${sizeOf(kernel.b.buffer)}`);
    for (const c of kernel.clips) lines.push(`${c.k}/${c.run}·${c.step}+${c.strides}+${c.offset}<${c.bound}`);
    lines.push(`${kernel.dtype} ${kernel.batch}|${kernel.m}|${kernel.n}|${kernel.k} ${operand(kernel.a)} ${operand(kernel.b)}`);
  }
  return [kernel.kind, ...lines, met.buffers.map(dtypeOf), met.buffers.map(isSettled)].join("\n");
}

/** What a kernel of the same structure became, for the buffers and checks of this one. */
function renamed<M>({ lowered, met, asked }: Known<M>, now: Met, context: LoweringContext): Lowered<M> {
  const buffers = new Map(met.buffers.map((b, i) => [b, now.buffers[i]!]));
  for (const { buffer, bytes, dtype } of asked) buffers.set(buffer, context.allocate(bytes, dtype));
  const checks = new Map(met.checks.map((c, i) => [c, now.checks[i]!]));
  const of = (b: number): number => buffers.get(b)!;
  const argument = (a: Argument): Argument => {
    if (typeof a === "number" || "privateScratch" in a) return a;
    return "check" in a ? { check: checks.get(a.check)! } : { ...a, buffer: of(a.buffer) };
  };
  const calls = lowered.calls.map((c) => ({
    ...c,
    arguments: c.arguments.map(argument),
    reads: c.reads.map(of),
    writes: c.writes.map(of),
  }));
  return { ...lowered, calls };
}

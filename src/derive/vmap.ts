import { ArgumentError, GraphError, ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { checkAxis, showShape } from "../core/shape.ts";
import { atUserLine, siteOnError, takeSite } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import { argument, type Draw, moveAxis } from "../ops/index.ts";
import { addTap, type Tap } from "../run/holder.ts";
import { type Generator, hostDraw } from "../tensor/generator.ts";
import { Tensor } from "../tensor/tensor.ts";
import { currentTrace, runInTrace, type Trace } from "../tensor/trace.ts";
import { type Flat, flatten, type Tree, unflatten } from "../tensor/tree.ts";
import type { Variable } from "../tensor/variable.ts";
import { batchGraph } from "../transform/index.ts";

/** What the trace of a body does in its own way. */
interface BodyOptions {
  /** Why a cell cannot be assigned here, and what to do. */
  readonly assigned: { readonly why: string; readonly help: string };
  /** What a draw of the function around is in the body. */
  readonly draw?: (draw: Draw) => Draw;
  /** What to do instead of looking at values here, where that is not possible. */
  readonly untapped?: string;
}

/** The trace of a body: reads and captures go to the function around it, assignments are errors. */
export class BodyTrace implements Trace {
  readonly name: string;
  private readonly options: BodyOptions;
  readonly outer: Trace | undefined = currentTrace();
  readonly taps: { readonly value: Value; readonly tap: Tap }[] = [];
  closed = false;

  constructor(name: string, options: BodyOptions) {
    this.name = name;
    this.options = options;
  }

  readCell(cell: Variable): Value {
    return this.outer ? this.outer.readCell(cell) : cell.ownNode();
  }
  assignCell(cell: Variable): void {
    throw new GraphError(`assign: ${cell.label()} is assigned in the body of ${this.name}`, this.options.assigned);
  }
  capture(tensor: Tensor): Value {
    return this.outer ? this.outer.capture(tensor) : tensor.ownNode();
  }
  draw(generator: Generator): Draw {
    const draw = this.outer ? this.outer.draw(generator) : hostDraw(generator);
    return this.options.draw?.(draw) ?? draw;
  }
  tap(value: Value, tap: Tap): void {
    if (this.options.untapped)
      throw new GraphError(`tap: a value in the body of ${this.name} cannot be looked at`, { help: this.options.untapped });
    this.taps.push({ value, tap });
  }
}

const ASSIGNED = {
  why: "the body stands for many at once, and a cell holds one value",
  help: "return the new value and assign it outside",
};

export interface VmapOptions {
  /** The axis of each argument that is mapped, null for one that all share. Default 0 for all. */
  readonly in?: readonly (number | null)[];
  /** Where the mapped axis stands in the results. */
  readonly out?: number;
}

/**
 * f of one example as a function of many, along a new axis: no loop runs, every operation gets the axis. Captured tensors and cells are shared;
 * a draw is the same for all.
 *
 * @example
 * vmap((x: Tensor, y: Tensor) => gradients(loss(x, y), model.parameters()))(xs, ys)
 */
export function vmap<A extends Tree[], R extends Tree>(f: (...xs: A) => R, options: VmapOptions = {}): (...xs: A) => R {
  checkOptions("vmap", options, ["in", "out"], takeSite);
  return (...xs) => {
    const flats = xs.map((x) => flatten(x, "vmap"));
    const { mapped, size } = siteOnError(() => {
      const mapped = flats.flatMap((flat, i) => flat.leaves.map((x) => mappedLeaf(x, axisOf(options, i))));
      return { mapped, size: commonSize(mapped) };
    });
    const body = new BodyTrace("vmap", { assigned: ASSIGNED });
    const { outputs, structure, isTracked } = runInTrace(body, () => {
      const stands = mapped.map(({ x, one }) => (one ? new Tensor(one, { tracked: x.isTracked }) : x));
      const result = flatten(f(...(trees(flats, stands) as A)), "vmap");
      return { ...result, outputs: result.leaves.map((y) => y.node()), isTracked: result.leaves.map((y) => y.isTracked) };
    });
    return atUserLine(() => {
      const inputs = new Map(mapped.flatMap(({ one, all }) => (one && all ? [[one, all] as const] : [])));
      const batched = batchGraph([...outputs, ...body.taps.map((t) => t.value)], inputs, size);
      body.taps.forEach(({ tap }, i) => {
        passOn(batched[outputs.length + i]!, tap);
      });
      const results = outputs.map((_, i) => {
        const out = checkAxis(options.out ?? 0, batched[i]!.shape.length, "vmap");
        return new Tensor(moveAxis(batched[i]!, 0, out), { tracked: isTracked[i]! });
      });
      return unflatten(structure, results) as R;
    });
  };
}

function axisOf(options: VmapOptions, argument: number): number | null {
  const axes = options.in;
  if (!axes) return 0;
  const axis = axes[argument];
  if (axis === undefined) throw new ArgumentError(`vmap: argument ${argument} has no axis in { in: ${JSON.stringify(axes)} }`);
  return axis;
}

interface Mapped {
  readonly x: Tensor;
  /** What f sees. */
  readonly one?: Value;
  /** What is put in its place, with the mapped axis in front. */
  readonly all?: Value;
}

function mappedLeaf(x: Tensor, axis: number | null): Mapped {
  if (axis === null) return { x };
  const value = x.node();
  const at = checkAxis(axis, value.shape.length, "vmap");
  return { x, all: moveAxis(value, at, 0), one: argument(-1, { shape: value.shape.toSpliced(at, 1), dtype: value.dtype }) };
}

function commonSize(mapped: readonly Mapped[]): number {
  const all = mapped.flatMap((m) => (m.all ? [m.all] : []));
  if (all.length === 0)
    throw new ArgumentError("vmap: no argument is mapped", { help: "give tensors, or an axis other than null for one of them" });
  const size = all[0]!.shape[0]!;
  for (const { shape } of all)
    if (shape[0] !== size)
      throw new ShapeError(`vmap: the mapped axes differ: ${size} and ${shape[0]}`, {
        why: `of ${showShape(all[0]!.shape)} and ${showShape(shape)}`,
      });
  return size;
}

function trees(flats: readonly Flat[], leaves: readonly Tensor[]): unknown[] {
  let next = 0;
  return flats.map((flat) =>
    unflatten(
      flat.structure,
      flat.leaves.map(() => leaves[next++]),
    ),
  );
}

/** A tap of one example tells all of them, the mapped axis in front. */
function passOn(value: Value, tap: Tap): void {
  const trace = currentTrace();
  const told: Tap = { ...tap, shape: value.shape };
  if (trace) trace.tap(value, told);
  else addTap(value, told);
}

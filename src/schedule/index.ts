/**
 * Graph → schedule: values are fused into kernels, kernels ordered so that nothing that can fail comes after the first write to a
 * variable.
 */
import { bytesOf, type DType, type TypedArray } from "../core/dtype.ts";
import { GraphError, type Site } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { ArgumentAttributes, ConstantAttributes, Value, VariableAttributes } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { type Access, constant, type Expr, load, scalar } from "../kernel/expr.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Buffer, Check, Place } from "../kernel/program.ts";
import type { Schedule, ScheduleStep } from "../kernel/schedule.ts";
import { copyKernel, type Memory } from "./build.ts";
import type { Cluster } from "./cluster.ts";
import type { Contraction } from "./contraction.ts";
import { type Fusion, fuse } from "./fuse.ts";
import { type Order, rowMajorAccess, rowMajorOrder, stridesIn } from "./layout.ts";
import { chooseOrders, givenOrders } from "./orders.ts";
import { ancestorsOf, clusterUnit, inOrder, readsOnlyWhereItWrites, renameBuffer, type Unit, unitOf, writersOf } from "./units.ts";

export interface Assignment {
  readonly cell: object;
  readonly value: Value;
}

export interface ScheduleInput {
  readonly outputs: readonly Value[];
  readonly assignments: readonly Assignment[];
  /** Scalars or tensors that must be finite, or nothing is committed. */
  readonly guards?: readonly { readonly value: Value; readonly label: string }[];
  /** 0: one kernel for each value, products as plain loops. */
  readonly optimize?: 0 | 1;
  /** Instead of what is best: values with kernels of their own, each in an order of its axes, where nothing needs them row-major. Tests ask for it. */
  readonly order?: ((v: Value) => Order | undefined) | undefined;
}

/** Kernels in order, which buffers carry what goes in and comes out, and where each value is computed. */
export interface Scheduled extends Schedule {
  readonly arguments: readonly { readonly index: number; readonly buffer: number }[];
  readonly variables: readonly { readonly cell: object; readonly buffer: number; readonly written: boolean }[];
  readonly constants: readonly { readonly data: TypedArray; readonly buffer: number }[];
  /** For each output its buffer. */
  readonly outputs: readonly number[];
  /** The steps in which a value is computed, or written. */
  readonly homes: ReadonlyMap<Value, readonly number[]>;
  /** What each contraction becomes, and if it is not a tiled product, why not. */
  readonly contractions: ReadonlyMap<Value, Contraction>;
}

/** @throws GraphError where a value is given by bodies: only the interpreter runs them. */
/** Whether nothing is left of what a value is another name of, as of a number in the shape [0, 2]: then its memory is not that of the number. */
const isEmptied = (v: Value, of: Value): boolean => sizeOf(v.shape) === 0 && sizeOf(of.shape) > 0;

export function schedule(input: ScheduleInput): Scheduled {
  return new Scheduler(input).run();
}

function refuseBodies(values: readonly Value[]): void {
  const nested = values.find((v) => v.op.kind === "nested");
  if (!nested) return;
  throw new GraphError(`${nested.op.name}: is not compiled yet`, {
    why: "no kernels are made of bodies; the reference interpreter runs them",
    help: 'compile(f, { device: "interpreter" })',
    site: nested.site,
  });
}

/** What is checked while a value is computed. */
function checkOf(v: Value): Check {
  const { label, bound, fromEnd } = v.attributes as { label: string; bound: number; fromEnd?: boolean };
  const matrices = v.op.kind === "serial" && v.op.check?.(v.inputs, v.attributes);
  return matrices ? { ...matrices, bound: 0 } : { what: "index", label, bound, fromEnd };
}

class Scheduler {
  private readonly input: ScheduleInput;
  private readonly buffers: Buffer[] = [];
  private readonly checks: Check[] = [];
  private readonly memory = new Map<Value, number>();
  /** How values lie that are not row-major. */
  private orders: ReadonlyMap<Value, Order> = new Map();
  private readonly checkOf = new Map<Value, number>();
  private readonly argumentBuffers = new Map<number, number>();
  private readonly variables = new Map<object, { buffer: number; written: boolean }>();
  private readonly constants: { data: TypedArray; buffer: number }[] = [];
  private units: Unit[] = [];
  /** Which units a value is computed in. */
  private readonly homes = new Map<Value, Unit[]>();
  /** New contents of variables, and the variable's buffer they are written to. */
  private readonly renamed = new Map<number, number>();

  constructor(input: ScheduleInput) {
    this.input = input;
  }

  run(): Scheduled {
    const { outputs, assignments, guards = [], optimize = 1, order } = this.input;
    const roots = [...outputs, ...assignments.map((a) => a.value), ...guards.map((g) => g.value)];
    const values = topological(roots);
    refuseBodies(values);
    const fusion = fuse(values, new Set(roots), optimize > 0, new Set(order && values.filter(order)));
    this.orders = this.ordersOf(fusion, [...outputs, ...assignments.map((a) => a.value)]);
    for (const v of values) if (v.op.kind === "leaf") this.addLeaf(v);
    for (const v of fusion.home.keys()) this.memory.set(v, this.addBuffer(v.dtype, sizeOf(v.shape), "scratch"));
    for (const v of values) {
      const alias = fusion.aliases.get(v);
      const buffer = alias && (isEmptied(v, alias) ? this.addBuffer(v.dtype, 0, "scratch") : this.placeOf(alias));
      if (buffer !== undefined) this.memory.set(v, buffer);
    }
    const memory = {
      bufferOf: (v: Value) => this.memory.get(v),
      placeOf: (v: Value) => this.placeOf(v),
      stridesOf: (v: Value) => this.stridesOf(v),
      checkFor: (v: Value) => this.checkFor(v),
    };
    // Clusters were made from the results backwards.
    for (const cluster of fusion.clusters.toReversed()) if (sizeOf(cluster.shape) > 0 && !cluster.piece) this.addCluster(cluster, memory);
    for (const g of guards) this.units.push(this.guardUnit(g.value, g.label));
    const results = this.addOutputs(outputs);
    this.takeOldContents();
    for (const a of assignments) this.assign(a);
    const { steps, places } = this.inSteps();
    return {
      buffers: this.buffers,
      steps,
      checks: this.checks,
      arguments: [...this.argumentBuffers].map(([index, buffer]) => ({ index, buffer })),
      variables: [...this.variables].map(([cell, { buffer, written }]) => ({ cell, buffer, written })),
      constants: this.constants,
      outputs: results,
      contractions: fusion.contractions,
      homes: new Map([...this.homes].map(([v, units]) => [v, units.map((u) => places.get(u)!)])),
    };
  }

  private addCluster(cluster: Cluster, memory: Memory): void {
    const unit = clusterUnit(cluster, memory);
    this.units.push(unit);
    const pieces = [...cluster.pieces.values()].flat();
    const computed = [cluster, ...pieces].flatMap((c) => [...(c?.members.keys() ?? [])]);
    for (const v of [...(cluster.special ? [cluster.special, ...cluster.pieces.keys()] : []), ...computed]) {
      const known = this.homes.get(v);
      if (known) known.push(unit);
      else this.homes.set(v, [unit]);
    }
  }

  // ---- buffers

  private addBuffer(dtype: DType, elements: number, place: Place, name?: string): number {
    return this.buffers.push({ id: this.buffers.length, dtype, bytes: elements * bytesOf(dtype), place, name }) - 1;
  }

  private addLeaf(v: Value): void {
    if (v.op.kind !== "leaf" || v.op.source === "iota") return;
    const size = sizeOf(v.shape);
    switch (v.op.source) {
      case "constant": {
        if (size === 1) return;
        const buffer = this.addBuffer(v.dtype, size, "constant");
        this.constants.push({ data: (v.attributes as ConstantAttributes).data, buffer });
        this.memory.set(v, buffer);
        return;
      }
      case "argument": {
        const { index } = v.attributes as ArgumentAttributes;
        const buffer = this.argumentBuffers.get(index) ?? this.addBuffer(v.dtype, size, "argument");
        this.argumentBuffers.set(index, buffer);
        this.memory.set(v, buffer);
        return;
      }
      case "variable":
        this.memory.set(v, this.variable((v.attributes as VariableAttributes).cell, v).buffer);
    }
  }

  /** The buffer of a value for who can read only from memory: leaves that are computed where they are read are written there. */
  private placeOf(v: Value): number | undefined {
    const known = this.memory.get(v);
    if (known !== undefined || v.op.kind !== "leaf") return known;
    const buffer = this.addBuffer(v.dtype, sizeOf(v.shape), "scratch");
    this.units.push(this.copyUnit(v, buffer, v.op.name));
    this.memory.set(v, buffer);
    return buffer;
  }

  private variable(cell: object, type: { dtype: DType; shape: readonly number[] }): { buffer: number; written: boolean } {
    let known = this.variables.get(cell);
    if (!known) {
      const { name } = cell as { name?: string };
      known = { buffer: this.addBuffer(type.dtype, sizeOf(type.shape), "variable", name || undefined), written: false };
      this.variables.set(cell, known);
    }
    return known;
  }

  /** What leaves is row-major, and so is what goes into and out of kernels that know nothing else. */
  private ordersOf(fusion: Fusion, leaving: readonly Value[]): ReadonlyMap<Value, Order> {
    const rowMajor = new Set(leaving);
    for (const { special } of fusion.clusters)
      if (special && special.op.kind !== "place") for (const v of [special, ...special.inputs]) rowMajor.add(v);
    return this.input.order ? givenOrders(fusion, this.input.order, rowMajor) : chooseOrders(fusion, rowMajor);
  }

  private stridesOf(v: Value): readonly number[] {
    return stridesIn(this.orders.get(v) ?? rowMajorOrder(v.shape), v.shape);
  }

  /** All of a value, where it lies. */
  private wholeAccess(buffer: number, v: Value): Access {
    return { buffer, offset: 0, strides: this.stridesOf(v) };
  }

  private checkFor(v: Value): number {
    const known = this.checkOf.get(v);
    if (known !== undefined) return known;
    const check = this.addCheck({ ...checkOf(v), site: v.site });
    this.checkOf.set(v, check);
    return check;
  }

  private addCheck(check: Check & { readonly site: Site | undefined }): number {
    return this.checks.push(check) - 1;
  }

  // ---- what stands around the clusters

  private guardUnit(v: Value, label: string): Unit {
    const check = this.addCheck({ what: "finite", label, bound: 0, site: v.site });
    const x = this.valueExpr(v);
    const zero = constant(0, v.dtype);
    // x · 0 is 0 for finite x and NaN for all others.
    const bad = scalar("ne", [scalar("mul", [x, zero], v.dtype), zero], "bool");
    return unitOf([{ kind: "rows", outer: v.shape, inner: [], stores: [], guards: [{ check, bad }] }], "guard");
  }

  private valueExpr(v: Value): Expr {
    const buffer = this.memory.get(v);
    if (buffer === undefined) return constant((v.attributes as ConstantAttributes).data[0]!, v.dtype);
    return load(this.wholeAccess(buffer, v), v.dtype);
  }

  private copyUnit(v: Value, to: number, label: string): Unit {
    const access = rowMajorAccess(to, v.shape);
    const buffer = this.memory.get(v);
    if (buffer !== undefined) return unitOf([copyKernel(this.wholeAccess(buffer, v), access, v.shape, v.dtype)], label);
    const value = this.valueOfLeaf(v);
    return unitOf([{ kind: "rows", outer: v.shape, inner: [], stores: [{ to: access, value }], guards: [] }], label);
  }

  /** A leaf without memory: a scalar constant or positions. */
  private valueOfLeaf(v: Value): Expr {
    if (v.op.kind === "leaf" && v.op.source === "iota") {
      const axis = (v.attributes as { axis: number }).axis;
      const at: Expr = { op: "index", axis, dtype: "int32" };
      return v.dtype === "int32" ? at : scalar("cast", [at], v.dtype);
    }
    return constant((v.attributes as ConstantAttributes).data[0]!, v.dtype);
  }

  private addOutputs(outputs: readonly Value[]): number[] {
    const of = new Map<Value, number>();
    const taken = new Set<number>();
    const assignedValues = new Set(this.input.assignments.map((a) => a.value));
    return outputs.map((v) => {
      const known = of.get(v);
      if (known !== undefined) return known;
      const own = this.memory.get(v);
      let buffer: number;
      const shared = own !== undefined && (this.buffers[own]!.place !== "scratch" || assignedValues.has(v) || taken.has(own));
      if (own === undefined || shared || sizeOf(v.shape) === 0) {
        buffer = this.addBuffer(v.dtype, sizeOf(v.shape), "output");
        if (sizeOf(v.shape) > 0) this.units.push(this.copyUnit(v, buffer, "copy"));
      } else {
        buffer = own;
        this.buffers[own] = { ...this.buffers[own]!, place: "output" };
      }
      of.set(v, buffer);
      taken.add(buffer);
      return buffer;
    });
  }

  /**
   * Where a variable gets the old content of one that is written too, as it is or under another shape, that content is taken first:
   * a and b can be swapped.
   */
  private takeOldContents(): void {
    const cells = new Map([...this.variables].map(([cell, { buffer }]) => [buffer, cell]));
    const written = new Set(this.input.assignments.map((a) => a.cell));
    for (const { cell, value } of this.input.assignments) {
      const source = cells.get(this.memory.get(value) ?? -1);
      if (!source || source === cell || !written.has(source) || sizeOf(value.shape) === 0) continue;
      const taken = this.addBuffer(value.dtype, sizeOf(value.shape), "scratch");
      this.units.push(this.copyUnit(value, taken, "take"));
      this.memory.set(value, taken);
    }
  }

  /**
   * Puts a value into a variable: its kernel writes there directly where every other reader of the old content comes before it or is the
   * same kernel at the same place, and nothing that can fail needs it; else it is copied at the end.
   */
  private assign({ cell, value }: Assignment): void {
    const variable = this.variable(cell, value);
    variable.written = true;
    const own = this.memory.get(value);
    if (own === variable.buffer) return;
    if (sizeOf(value.shape) === 0) return;
    const writers = writersOf(this.units);
    const writer = own === undefined ? undefined : writers.get(own);
    const readers = this.units.filter((u) => u.reads.has(variable.buffer));
    // A value that two variables get lies in the first of them and is copied into the other.
    const free = own !== undefined && this.buffers[own]!.place === "scratch" && !this.renamed.has(own);
    if (writer && free && this.canWriteInPlace(writer, own, variable.buffer, readers, writers)) {
      this.renamed.set(own, variable.buffer);
      for (const r of readers) if (r !== writer) writer.after.add(r);
      return;
    }
    // The new content has a buffer number of its own, so that who reads the old one does not wait for it.
    const next = this.addBuffer(value.dtype, sizeOf(value.shape), "scratch");
    this.renamed.set(next, variable.buffer);
    const copy = this.copyUnit(value, next, "assign");
    for (const r of readers) copy.after.add(r);
    this.units.push(copy);
  }

  /** The kernel with new contents of variables where they belong. */
  private inVariables(unit: Unit, kernel: Kernel): Kernel {
    for (const b of [...unit.writes, ...unit.reads]) {
      const to = this.renamed.get(b);
      if (to !== undefined) kernel = renameBuffer(kernel, b, to);
    }
    return kernel;
  }

  private canWriteInPlace(writer: Unit, own: number, variable: number, readers: readonly Unit[], writers: Map<number, Unit>): boolean {
    const fallible = ancestorsOf(
      this.units.filter((u) => u.fallible),
      writers,
    );
    if (fallible.has(writer)) return false;
    // Of several kernels the first may overwrite what the next one reads.
    const [kernel, ...more] = writer.kernels;
    if (readers.includes(writer) && (more.length > 0 || !readsOnlyWhereItWrites(kernel!, own, variable))) return false;
    // A reader that itself needs the new value cannot come before it is written.
    return readers.every((r) => r === writer || !ancestorsOf([r], writers).has(writer));
  }

  // ---- the order

  /** The kernels in order, those that can fail before the commit; and where each unit stands. */
  private inSteps(): { steps: ScheduleStep[]; places: Map<Unit, number> } {
    const fallible = this.units.filter((u) => u.fallible);
    const firsts = ancestorsOf(fallible, writersOf(this.units));
    const steps: ScheduleStep[] = [];
    const places = new Map<Unit, number>();
    let committed = firsts.size === 0;
    for (const unit of inOrder(this.units, firsts)) {
      if (!committed && !firsts.has(unit)) {
        steps.push({ do: "commit" });
        committed = true;
      }
      places.set(unit, steps.length);
      steps.push({ do: "kernels", label: unit.label, kernels: unit.kernels.map((kernel) => this.inVariables(unit, kernel)) });
    }
    if (!committed) steps.push({ do: "commit" });
    return { steps, places };
  }
}

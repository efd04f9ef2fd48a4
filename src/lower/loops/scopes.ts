/**
 * Loops while they are written: a stack of scopes, each with the values and addresses computed in it. What is asked for is computed in the
 * outermost scope that binds all it depends on, and once.
 */
import { bytesOf } from "../../core/dtype.ts";
import { type Access, accessKey, type Bound, type Expr } from "../../kernel/expr.ts";
import { type Int, type IntLocal, iadd, imul, int, irem, isub, type Statement, type Vec } from "../../kernel/loop.ts";
import { type AxisSet, hasAxis } from "./axis-set.ts";
import type { ArgumentBlock } from "./block.ts";
import { jam } from "./jam.ts";
import { Lines } from "./lines.ts";
import type { LoopContext } from "./machine.ts";

/** A loop that is being filled. The outermost scope is the function itself, with no axis. */
export interface Scope {
  readonly axis: number;
  /** Position along the axis, in elements. */
  readonly at: Int;
  readonly lines: Lines;
  readonly values: Map<Expr, Vec>;
  readonly addresses: Map<string, Int>;
  /** Lanes that count, where the lane axis ends within the vector. */
  readonly count: IntLocal | undefined;
  mask?: Vec;
}

export interface LoopsOptions {
  readonly block: ArgumentBlock;
  readonly context: LoopContext;
  /** The axis that runs over lanes, and how many there are; -1 where the kernel has no axis at all. */
  readonly lane: number;
  readonly lanes: number;
  /** The length of each axis. */
  readonly sizes: readonly Int[];
}

/** Where steps begin, what they are called, and how many bytes one is. */
interface Steps {
  readonly key: string;
  readonly bytes: number;
  readonly name: string;
  readonly base: Int;
}

export class Loops {
  readonly lane: number;
  readonly lanes: number;
  readonly sizes: readonly Int[];
  readonly scopes: Scope[] = [];
  private readonly block: ArgumentBlock;
  private readonly context: LoopContext;
  /** Argument words by what they mean: each is read once. */
  private readonly words = new Map<string, IntLocal>();
  /** For names that nobody else in the kernel has. */
  readonly names = new Lines();

  constructor({ block, context, lane, lanes, sizes }: LoopsOptions) {
    this.block = block;
    this.context = context;
    this.lane = lane;
    this.lanes = lanes;
    this.sizes = sizes;
  }

  open(axis: number, at: Int, count?: IntLocal): Scope {
    const scope: Scope = { axis, at, lines: this.names.inner(), values: new Map(), addresses: new Map(), count };
    this.scopes.push(scope);
    return scope;
  }

  get scope(): Scope {
    return this.scopes.at(-1)!;
  }

  /** Nested loops over axes, the lane axis in vectors: whole ones (`unroll` at a time, where it is the last), then what is left of one. */
  over(axes: readonly number[], range: (axis: number) => [Int, Int], unroll: number, body: (copy: number) => void): void {
    const [axis, ...rest] = axes;
    if (axis === undefined) return body(0);
    const [from, to] = range(axis);
    const last = rest.length === 0;
    const copies = last ? unroll : 1;
    // Vectors are unrolled along the lanes only, copies of a loop's body along whichever axis is the last.
    const inside = last ? body : () => this.over(rest, range, axis === this.lane ? 1 : unroll, body);
    const end = (step: number, name: string): Int => this.rangeEnd(axis, [from, to], step, name);
    const W = axis === this.lane ? this.lanes : 1;
    const whole = axis === this.lane ? end(W, "whole") : to;
    let start = from;
    if (copies > 1) {
      start = end(W * copies, "many");
      this.loop(axis, from, start, W, copies, body);
    }
    this.loop(axis, start, whole, W, 1, inside);
    if (axis === this.lane) this.remainder(axis, whole, this.ofRange(axis, [from, to], "rest", () => isub(to, whole)) as IntLocal, inside);
  }

  /** Where the last whole step of a range ends. */
  private rangeEnd(axis: number, [from, to]: [Int, Int], step: number, name: string): Int {
    return this.ofRange(axis, [from, to], name, () => isub(to, irem(isub(to, from), step)), step);
  }

  /** A number that depends on a range of an axis: computed once if the range is all of it. */
  private ofRange(axis: number, [from, to]: [Int, Int], name: string, make: () => Int, step = 0): Int {
    const all = from === 0 && to === this.sizes[axis];
    return all ? this.once(`${name} of ${axis} by ${step}`, this.scopes[0]!, make, name) : this.scope.lines.int(make(), name);
  }

  private loop(axis: number, from: Int, to: Int, step: number, copies: number, body: (copy: number) => void): void {
    const local = int(this.names.fresh(`i${axis}`));
    const bodies: Statement[][] = [];
    for (let copy = 0; copy < copies; copy++) {
      const scope = this.open(axis, copy === 0 ? local : iadd(local, copy * step));
      body(copy);
      this.scopes.pop();
      bodies.push(scope.lines.statements);
    }
    this.scope.lines.statements.push({ do: "for", local, from, to, step: step * copies, body: jam(bodies) });
  }

  private remainder(axis: number, at: Int, count: IntLocal, body: (copy: number) => void): void {
    const scope = this.open(axis, at, count);
    body(0);
    this.scopes.pop();
    this.scope.lines.statements.push({ do: "if", test: { op: "lt", a: 0, b: count }, then: scope.lines.statements });
  }

  /** The innermost open loop that a set of axes needs. */
  scopeFor(axes: AxisSet): Scope {
    for (let i = this.scopes.length - 1; i > 0; i--) if (hasAxis(axes, this.scopes[i]!.axis)) return this.scopes[i]!;
    return this.scopes[0]!;
  }

  laneScope(scope: Scope): Scope | undefined {
    const upTo = this.scopes.indexOf(scope);
    const at = this.scopes.findIndex((s) => s.axis === this.lane && s.axis >= 0);
    return at >= 0 && at <= upTo ? this.scopes[at] : undefined;
  }

  address(a: Access, scope: Scope): Int {
    const bytes = bytesOf(this.context.dtypeOf(a.buffer));
    const key = accessKey(a);
    return this.along(
      a.strides,
      { key, bytes, name: "p", base: this.rooted(key, () => this.block.address(a.buffer, a.offset * bytes, "p")) },
      scope,
    );
  }

  /** What a bound asks about, or a sum of multiples of positions, at the first lane. */
  form(b: Pick<Bound, "offset" | "strides">, scope: Scope): Int {
    const key = `form ${b.offset}:${b.strides.join()}`;
    const base = b.offset === 0 ? 0 : this.rooted(key, () => this.block.size(b.offset, "from"));
    return this.along(b.strides, { key, bytes: 1, name: "at", base }, scope);
  }

  /** base + Σ strides · positions of the loops up to a scope, each part in the outermost loop that has it. */
  private along(strides: readonly number[], steps: Steps, scope: Scope): Int {
    let sum = steps.base;
    for (const s of this.scopes.slice(1, this.scopes.indexOf(scope) + 1)) {
      const stride = strides[s.axis]!;
      if (stride !== 0) sum = this.once(steps.key, s, () => iadd(sum, this.byteOffset(s, stride, steps.bytes, steps.key)), steps.name);
    }
    return sum;
  }

  /** A number that is computed in a scope the first time it is asked for there. */
  once(key: string, { addresses, lines }: Scope, make: () => Int, name: string): Int {
    const known = addresses.get(key) ?? lines.int(make(), name);
    addresses.set(key, known);
    return known;
  }

  rooted(key: string, make: () => IntLocal): IntLocal {
    const known = this.words.get(key) ?? make();
    this.words.set(key, known);
    return known;
  }

  private byteOffset(s: Scope, stride: number, bytes: number, key: string): Int {
    if (stride !== 1) return imul(s.at, this.stride(key, s.axis, stride * bytes));
    const shared = `×${bytes}`;
    return this.once(shared, s, () => imul(s.at, bytes), "o");
  }

  /** Bytes from one element to the next along an axis, an argument of the kernel. */
  stride(key: string, axis: number, bytes: number): IntLocal {
    return this.rooted(`${key}/${axis}`, () => this.block.size(bytes, "s"));
  }

  tailMask(scope: Scope): Vec {
    scope.mask ??= scope.lines.vec({
      op: "lt",
      lane: "mask32",
      args: [
        { op: "ramp", value: 0, lane: "i32" },
        { op: "splatInt", value: scope.count!, lane: "i32" },
      ],
    });
    return scope.mask;
  }

  /** Row-major position over axes in this order: of the element at hand, or of the first. */
  positionAlong(axes: readonly number[], of: "here" | "first" = "here"): Vec {
    let linear: Int = 0;
    if (of === "here") for (const a of axes) linear = iadd(imul(linear, this.sizes[a]!), this.scopes.find((s) => s.axis === a)!.at);
    const at = axes.length > 1 ? this.scope.lines.int(linear, "at") : linear;
    const place = axes.indexOf(this.lane);
    if (place < 0) return { op: "splatInt", value: at, lane: "i32" };
    const after = axes.slice(place + 1);
    if (after.length === 0) return { op: "ramp", value: at, lane: "i32" };
    const step = this.scope.lines.int(
      after.reduce<Int>((n, a) => imul(n, this.sizes[a]!), 1),
      "step",
    );
    const apart: Vec = {
      op: "mul",
      args: [
        { op: "ramp", value: 0, lane: "i32" },
        { op: "splatInt", value: step, lane: "i32" },
      ],
      lane: "i32",
    };
    return { op: "add", args: [{ op: "splatInt", value: at, lane: "i32" }, apart], lane: "i32" };
  }

  /** Row-major position over the axes of a set. */
  position(axes: AxisSet, scope: Scope): Vec {
    let linear: Int = 0;
    let lanes = false;
    for (const [a, size] of this.sizes.entries()) {
      if (!hasAxis(axes, a)) continue;
      const at = this.scopes.find((s) => s.axis === a)!.at;
      lanes = a === this.lane;
      linear = iadd(imul(linear, size), at);
    }
    // Only where the lane axis comes last do lanes count up by one; elsewhere all lanes share the position of the first.
    return { op: lanes && this.laneScope(scope) ? "ramp" : "splatInt", value: scope.lines.int(linear, "at"), lane: "i32" };
  }
}

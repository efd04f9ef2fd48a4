/**
 * Reads that hold only within bounds: a border that is in no memory. Where a bound moves with the axis of a reduction that it would add nothing to, the
 * loop is shorter; else it is asked, once for a whole vector, or lane by lane where it moves along the lanes.
 */
import { reach } from "../../kernel/bounds.ts";
import { type Bound, boundKey, boundsOf, type Expr, nodesBelow, type Reduction } from "../../kernel/expr.ts";
import { type Int, iadd, idiv, imin, isub, type Statement, type Vec, vec } from "../../kernel/loop.ts";
import type { ArgumentBlock } from "./block.ts";
import { identityOf } from "./reduction.ts";
import { asLane, laneOf, maskFor } from "./scalar.ts";
import type { Loops, Scope } from "./scopes.ts";

const zero: Vec = { op: "splat", value: 0, lane: "i32" };
const splatInt = (value: Int): Vec => ({ op: "splatInt", value, lane: "i32" });
/** 0 where x is negative. */
const positive = (x: Int): Int => isub(x, imin(x, 0));
/** x / by, rounded up; by > 0, and 0 where x is negative. */
const upwards = (x: Int, by: Int): Int => (by === 1 ? positive(x) : idiv(positive(iadd(x, isub(by, 1))), by));

/** The lanes of a vector, from `first` to before `past`, that are inside. */
interface Lanes {
  readonly first: Int;
  readonly past: Int;
}

export class Bounds {
  private readonly loops: Loops;
  private readonly block: ArgumentBlock;
  /** How long each axis is. */
  private readonly lengths: readonly number[];
  /** Bounds that the loops around have been cut to hold. */
  private readonly held = new Set<string>();

  constructor(loops: Loops, block: ArgumentBlock, lengths: readonly number[]) {
    this.loops = loops;
    this.block = block;
    this.lengths = lengths;
  }

  /** Those that may not hold where the loops stand. */
  open(within: readonly Bound[] = []): Bound[] {
    return within.filter((b) => !this.held.has(boundKey(b)));
  }

  private size(b: Bound): Int {
    return this.loops.rooted(`size ${b.size}`, () => this.block.size(b.size, "size"));
  }

  private alongLanes = (b: Bound, scope: Scope): boolean => this.loops.laneScope(scope) !== undefined && b.strides[this.loops.lane] !== 0;

  // ---- shorter loops

  /** The bounds outside of which these reductions add nothing. */
  skipped(together: readonly Reduction[]): Bound[] {
    const bounds = new Map(nodesBelow(together.map((r) => r.of)).flatMap(boundsOf).map((b) => [boundKey(b), b])); // biome-ignore format: one chain
    return [...bounds.values()].filter((b) =>
      together.every((r) => identityOf(r.combine, laneOf(r.of.dtype)) === valueOutside(r.of, boundKey(b))),
    );
  }

  /** The part of an axis along which bounds hold that depend on loops already open, and on no lane; inside it they hold. */
  range(axis: number, skipped: readonly Bound[]): [Int, Int] {
    let [from, to]: [Int, Int] = [0, this.loops.sizes[axis]!];
    if (axis === this.loops.lane) return [from, to];
    const isOpen = (a: number): boolean => this.loops.scopes.some((s) => s.axis === a && a !== this.loops.lane);
    for (const b of skipped) {
      const step = b.strides[axis]!;
      if (step === 0 || !b.strides.every((s, a) => s === 0 || a === axis || isOpen(a))) continue;
      const scope = this.loops.scopes.findLast((s) => s.axis >= 0 && b.strides[s.axis] !== 0) ?? this.loops.scopes[0]!;
      const [low, high] = this.part(b, step, axis, scope);
      from = from === 0 ? low : iadd(from, positive(isub(low, from)));
      to = imin(to, high);
      this.held.add(boundKey(b));
    }
    return [from, to];
  }

  /** What is written meanwhile is in loops of its own: those around may not be around it. */
  afresh(write: () => void): void {
    const before = [...this.held];
    this.held.clear();
    write();
    this.held.clear();
    for (const key of before) this.held.add(key);
  }

  /** Where 0 ≤ form + step · i < size. */
  private part(b: Bound, step: number, axis: number, scope: Scope): [Int, Int] {
    const key = `part ${axis} ${boundKey(b)}`;
    const form = this.loops.form(b, scope);
    const past = isub(form, this.size(b));
    const [low, high] = step > 0 ? [isub(0, form), isub(0, past)] : [iadd(past, 1), iadd(form, 1)];
    return [
      this.loops.once(`${key} from`, scope, () => upwards(low, Math.abs(step)), "from"),
      this.loops.once(`${key} to`, scope, () => upwards(high, Math.abs(step)), "to"),
    ];
  }

  // ---- questions

  /** 1 where the bounds that do not move along the lanes hold, else 0; undefined where there is none. */
  private ok(bounds: readonly Bound[], scope: Scope): Int | undefined {
    let all: Int | undefined;
    for (const b of bounds) {
      if (this.alongLanes(b, scope)) continue;
      const at = this.loops.scopes.slice(0, this.loops.scopes.indexOf(scope) + 1).findLast((s) => s.axis >= 0 && b.strides[s.axis] !== 0) ?? this.loops.scopes[0]!; // biome-ignore format: one expression
      const one = this.loops.once(`ok ${boundKey(b)}`, at, () => this.test(b, at), "ok");
      all = all === undefined ? one : { op: "and", a: all, b: one };
    }
    return all;
  }

  private test(b: Bound, scope: Scope): Int {
    const form = this.loops.form(b, scope);
    const [low, high] = reach(b, this.lengths);
    const below: Int = { op: "lt", a: form, b: this.size(b) };
    const above: Int = { op: "le", a: 0, b: form };
    if (low >= 0) return below;
    return high < b.size ? above : { op: "and", a: above, b: below };
  }

  /** The lanes that are inside, of those that count; undefined where no bound moves along them. */
  private lanes(bounds: readonly Bound[], scope: Scope): Lanes | undefined {
    const moving = bounds.filter((b) => this.alongLanes(b, scope));
    const inLanes = this.loops.laneScope(scope);
    if (moving.length === 0 || !inLanes) return undefined;
    let [first, past]: [Int, Int] = [0, inLanes.count ?? this.loops.lanes];
    for (const b of moving) {
      const [low, high] = this.part(b, b.strides[this.loops.lane]!, this.loops.lane, scope);
      first = first === 0 ? low : iadd(first, positive(isub(low, first)));
      past = imin(past, high);
    }
    return { first: scope.lines.int(first, "first"), past: scope.lines.int(past, "past") };
  }

  /**
   * What a read gives where these bounds hold, and `otherwise` where one does not.
   *
   * @param plain the read for all lanes that count
   * @param some the read for lanes whose numbers are given, where not all of them are inside
   */
  read(bounds: readonly Bound[], otherwise: Vec, scope: Scope, plain: () => Vec, some: (lanes: Vec) => Vec): Vec {
    const { lines } = scope;
    const result = vec(lines.fresh("v"), otherwise.lane);
    const set = (value: Vec): Statement => ({ do: "vec", local: result, value });
    lines.statements.push(set(otherwise));
    const lanes = this.lanes(bounds, scope);
    const ok = this.ok(bounds, scope);
    const inner = lines.inner();
    if (!lanes) inner.statements.push(set(plain()));
    else {
      const { first, past } = lanes;
      const ramp: Vec = { op: "ramp", value: 0, lane: "i32" };
      const last = splatInt(isub(past, 1));
      const clamped: Vec = { op: "pmin", args: [{ op: "pmax", args: [ramp, splatInt(first)], lane: "i32" }, last], lane: "i32" };
      const partly: Statement[] = [set(choose(both(le(splatInt(first), ramp), le(ramp, last)), some(clamped), otherwise))];
      const whole: Int = { op: "eq", a: isub(past, first), b: this.loops.lanes };
      const counted = this.loops.laneScope(scope)!.count !== undefined;
      inner.statements.push(...(counted ? partly : [{ do: "if", test: whole, then: [set(plain())], else: partly } as Statement]));
    }
    const any: Int | undefined = lanes && { op: "lt", a: lanes.first, b: lanes.past };
    const test: Int = any && ok !== undefined ? { op: "and", a: any, b: ok } : (any ?? ok!);
    lines.statements.push({ do: "if", test, then: inner.statements });
    return result;
  }

  /** Whether they hold, for each lane. */
  mask(bounds: readonly Bound[], scope: Scope): Vec {
    const ok = this.ok(bounds, scope);
    let mask: Vec | undefined = ok === undefined ? undefined : { op: "lt", args: [zero, splatInt(ok)], lane: "mask32" };
    for (const b of bounds.filter((one) => this.alongLanes(one, scope))) {
      const step = b.strides[this.loops.lane]!;
      const form = this.loops.form(b, scope);
      const steps: Vec = { op: "mul", args: [{ op: "ramp", value: 0, lane: "i32" }, splatInt(step)], lane: "i32" };
      const at: Vec = step === 1 ? { op: "ramp", value: form, lane: "i32" } : { op: "add", args: [splatInt(form), steps], lane: "i32" };
      const here = scope.lines.vec(at);
      const holds = both(le(zero, here), { op: "lt", args: [here, splatInt(this.size(b))], lane: "mask32" });
      mask = mask ? both(mask, holds) : holds;
    }
    return mask!;
  }
}

const choose = (mask: Vec, yes: Vec, no: Vec): Vec => ({ op: "select", args: [asLane(mask, maskFor(no.lane)), yes, no], lane: no.lane });
const le = (a: Vec, b: Vec): Vec => ({ op: "le", args: [a, b], lane: "mask32" });
const both = (a: Vec, b: Vec): Vec => ({ op: "and", args: [a, b], lane: "mask32" });

/** What an expression is wherever a bound does not hold, if it is the same number everywhere there: what is multiplied by 0 is 0. */
function valueOutside(root: Expr, key: string): number | undefined {
  const known = new Map<Expr, number | undefined>();
  const visit = (e: Expr): number | undefined => {
    if (!known.has(e)) known.set(e, compute(e));
    return known.get(e);
  };
  const compute = (e: Expr): number | undefined => {
    if (e.op === "const") return e.value;
    if (e.op === "load") return e.within?.some((b) => boundKey(b) === key) ? e.otherwise : undefined;
    if (e.op === "select") {
      const [mask, yes, no] = e.args as [Expr, Expr, Expr];
      const other = visit(no);
      return mask.op === "inside" && mask.within.some((b) => boundKey(b) === key) ? other : other === visit(yes) ? other : undefined;
    }
    const rule = "args" in e && e.op !== "repeat" && e.op !== "call" ? ARITHMETIC[e.op] : undefined;
    return rule?.((e as Extract<Expr, { args: readonly Expr[] }>).args.map(visit));
  };
  return visit(root);
}

type Known = readonly (number | undefined)[];
const known =
  (rule: (a: number, b: number) => number) =>
  ([a, b]: Known): number | undefined =>
    a === undefined || b === undefined ? undefined : rule(a, b);
const ARITHMETIC: Readonly<Record<string, (args: Known) => number | undefined>> = {
  mul: ([a, b]) => (a === 0 || b === 0 ? 0 : a === undefined || b === undefined ? undefined : a * b),
  add: known((a, b) => a + b),
  sub: known((a, b) => a - b),
  pmax: known((a, b) => (a < b ? b : a)),
  pmin: known((a, b) => (b < a ? b : a)),
  neg: ([a]) => (a === undefined ? undefined : -a),
  abs: ([a]) => (a === undefined ? undefined : Math.abs(a)),
};

/**
 * The engine that the lists of rules run on: a walk from the leaves up, in which each node is rebuilt over its simplified inputs, replaced by
 * an equal one that exists already (common subexpressions), and offered to the rules until none applies. What nothing uses any more is not
 * reached again, so dead code goes by construction.
 */
import { InternalError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { withSite } from "../core/site.ts";
import { bodiesOf, withBodies } from "../graph/body.ts";
import { keyOf } from "../graph/key.ts";
import { type Op, reapply, type Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";

export interface Rule {
  readonly name: string;
  /** before → after */
  readonly doc: string;
  /** The ops it looks at; all of them where it is left out. */
  readonly on?: readonly Op[];
  /** What to put in the place of v, equal to it in value, shape and dtype; null where the rule does not apply. v's inputs are simplified. */
  apply(v: Value, uses: Uses): Value | null;
}

/** How many nodes and outputs use a value, as far as that is known. */
export interface Uses {
  /** True if exactly one node uses x: then what that node becomes may swallow x. False where it is not known. */
  once(x: Value): boolean;
  /** True if a node of this op, a place, uses x, another place, or a move and nothing else does; or used what x is rebuilt from. */
  placedBy(x: Value, op: Op): boolean;
}

/** Rules that go round in circles are mistakes: no node needs as many steps. */
const MOST_STEPS = 200;

/** Values by what tells them from all others. Stages that hand a graph on hand this on as well: a node that one has looked up the next need not. */
export class Shared {
  private readonly byKey = new Map<string, Value>();
  private readonly firsts = new Set<Value>();

  /** The first value that was equal to v. */
  first(v: Value): Value {
    if (this.firsts.has(v)) return v;
    const key = keyOf(v);
    const known = key === null ? undefined : this.byKey.get(key);
    if (known) return known;
    if (key !== null) this.byKey.set(key, v);
    this.firsts.add(v);
    return v;
  }
}

export interface RewriteOptions {
  readonly shared?: Shared;
  /** Learns, of each value it holds (at first, of all), what it is now; what is nothing any more leaves it. */
  readonly became?: Map<Value, Value> | undefined;
}

/** The outputs with all rules applied. */
export function rewrite(
  outputs: readonly Value[],
  rules: readonly Rule[],
  { shared = new Shared(), became }: RewriteOptions = {},
): Value[] {
  const rewriter = new Rewriter(rules, new CountedUses(outputs), shared);
  const made = outputs.map((y) => rewriter.simplify(y));
  if (!became) return made;
  if (became.size === 0) for (const v of topological(outputs)) became.set(v, v);
  for (const [before, v] of [...became]) {
    const now = rewriter.done.get(v);
    if (now) became.set(before, now);
    else became.delete(before);
  }
  return made;
}

class Rewriter {
  private readonly uses: CountedUses;
  private readonly rules: readonly Rule[];
  private readonly rulesOf = new Map<Op, readonly Rule[]>();
  /** What each value seen so far became. */
  readonly done = new Map<Value, Value>();
  /** What a value was rewritten to, while that is not simplified yet. */
  private readonly next = new Map<Value, Value>();
  private readonly steps = new Map<Value, number>();
  private readonly shared: Shared;

  constructor(rules: readonly Rule[], uses: CountedUses, shared: Shared) {
    this.rules = rules;
    this.uses = uses;
    this.shared = shared;
  }

  simplify(root: Value): Value {
    const stack: Value[] = [root];
    while (stack.length > 0) {
      const v = stack.at(-1)!;
      if (this.done.has(v)) {
        stack.pop();
        continue;
      }
      const next = this.next.get(v);
      const before = next ? [next] : v.inputs;
      const known = stack.length;
      for (let i = before.length - 1; i >= 0; i--) if (!this.done.has(before[i]!)) stack.push(before[i]!);
      if (stack.length > known) continue;
      stack.pop();
      if (next) {
        this.done.set(v, this.done.get(next)!);
        this.next.delete(v);
      } else if (!this.visit(v)) stack.push(v);
    }
    return this.done.get(root)!;
  }

  /** Rebuilds one node over simplified inputs. False if a rule gave something that must be simplified first. */
  private visit(v: Value): boolean {
    const rebuilt = reapply(
      this.inside(v),
      v.inputs.map((x) => this.done.get(x)!),
    );
    const same = this.shared.first(rebuilt);
    if (same !== v) this.uses.rebuilt(v, same);
    const known = same === v ? undefined : this.done.get(same);
    if (known) {
      this.done.set(v, known);
      return true;
    }
    const better = this.applyRules(same);
    if (!better) {
      this.done.set(v, same);
      this.done.set(same, same);
      return true;
    }
    this.countStep(v, better);
    // The rule may have made several nodes: they are walked like any others, then v takes what came of the last.
    this.next.set(v, better);
    return false;
  }

  /** The node with its bodies rewritten, each as a graph of its own. */
  private inside(v: Value): Value {
    if (v.op.kind !== "nested") return v;
    const bodies = bodiesOf(v).map((body) => {
      const results = rewrite(body.results, this.rules);
      return results.every((y, i) => y === body.results[i]) ? body : { parameters: body.parameters, results };
    });
    return withBodies(v, bodies);
  }

  private applyRules(v: Value): Value | null {
    let rules = this.rulesOf.get(v.op);
    if (!rules) this.rulesOf.set(v.op, (rules = this.rules.filter((rule) => !rule.on || rule.on.includes(v.op))));
    return rules.length === 0 ? null : withSite(v.site, () => this.firstOf(rules, v));
  }

  /** What the first rule that applies gives. */
  private firstOf(rules: readonly Rule[], v: Value): Value | null {
    for (const rule of rules) {
      const result = rule.apply(v, this.uses);
      if (!result || result === v) continue;
      if (result.dtype !== v.dtype || !sameShape(result.shape, v.shape))
        throw new InternalError(
          `optimise: rule "${rule.name}" turned ${v.dtype} ${showShape(v.shape)} into ${result.dtype} ${showShape(result.shape)}`,
          { site: v.site },
        );
      return result;
    }
    return null;
  }

  private countStep(from: Value, to: Value): void {
    const steps = (this.steps.get(from) ?? 0) + 1;
    if (steps > MOST_STEPS) throw new InternalError(`optimise: the rules never stop rewriting ${from.op.name}`, { site: from.site });
    this.steps.set(to, steps);
  }
}

class CountedUses implements Uses {
  private readonly counts = new Map<Value, number>();
  private readonly places = new Map<Value, Op>();

  constructor(outputs: readonly Value[]) {
    const use = (x: Value): void => void this.counts.set(x, (this.counts.get(x) ?? 0) + 1);
    const values = topological(outputs);
    for (const v of values) {
      v.inputs.forEach((x, i) => {
        if (v.inputs.indexOf(x) === i) use(x);
      });
      if (v.op.kind === "place") for (const x of v.inputs) if (x.op.kind === "place") this.places.set(x, v.op);
    }
    outputs.forEach(use);
    for (const v of values)
      if (v.op.kind === "move" && v.inputs[0]!.op.kind === "place" && this.once(v.inputs[0]!)) this.places.set(v.inputs[0]!, v.op);
  }

  once(x: Value): boolean {
    return this.counts.get(x) === 1;
  }

  placedBy(x: Value, op: Op): boolean {
    return this.places.get(x) === op;
  }

  rebuilt(before: Value, v: Value): void {
    const by = before.op.kind === "place" ? this.places.get(before) : undefined;
    if (by) this.places.set(v, by);
  }
}

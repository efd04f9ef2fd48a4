/**
 * The engine that the lists of rules run on: a walk from the leaves up, in which each node is rebuilt over its simplified inputs, replaced by
 * an equal one that exists already (common subexpressions), and offered to the rules until none applies. What nothing uses any more is not
 * reached again, so dead code goes by construction.
 */
import { InternalError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { withSite } from "../core/site.ts";
import { type Op, reapply, type Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { keyOf } from "./key.ts";

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
}

/** Rules that go round in circles are mistakes: no node needs as many steps. */
const MOST_STEPS = 200;

/** The outputs with all rules applied. `became` learns, of each value it holds (at first, of all), what it is now; what is nothing any more leaves it. */
export function rewrite(outputs: readonly Value[], rules: readonly Rule[], became?: Map<Value, Value>): Value[] {
  const rewriter = new Rewriter(rules, countUses(outputs));
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
  private readonly uses: Uses;
  private readonly rules: readonly Rule[];
  private readonly rulesOf = new Map<Op, readonly Rule[]>();
  /** What each value seen so far became. */
  readonly done = new Map<Value, Value>();
  /** What a value was rewritten to, while that is not simplified yet. */
  private readonly next = new Map<Value, Value>();
  private readonly steps = new Map<Value, number>();
  private readonly known = new Map<string, Value>();

  constructor(rules: readonly Rule[], uses: Uses) {
    this.rules = rules;
    this.uses = uses;
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
      const waiting = (next ? [next] : v.inputs).filter((x) => !this.done.has(x));
      if (waiting.length > 0) {
        for (let i = waiting.length - 1; i >= 0; i--) stack.push(waiting[i]!);
        continue;
      }
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
      v,
      v.inputs.map((x) => this.done.get(x)!),
    );
    const same = this.share(rebuilt);
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

  private share(v: Value): Value {
    const key = keyOf(v);
    if (key === null) return v;
    const known = this.known.get(key);
    if (known) return known;
    this.known.set(key, v);
    return v;
  }

  private applyRules(v: Value): Value | null {
    let rules = this.rulesOf.get(v.op);
    if (!rules) this.rulesOf.set(v.op, (rules = this.rules.filter((rule) => !rule.on || rule.on.includes(v.op))));
    for (const rule of rules) {
      const result = withSite(v.site, () => rule.apply(v, this.uses));
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

function countUses(outputs: readonly Value[]): Uses {
  const counts = new Map<Value, number>();
  const use = (x: Value): void => void counts.set(x, (counts.get(x) ?? 0) + 1);
  for (const v of topological(outputs)) new Set(v.inputs).forEach(use);
  outputs.forEach(use);
  return { once: (x) => counts.get(x) === 1 };
}

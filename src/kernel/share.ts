/** Equal expressions become one node, so that a lowering computes each once and makes each address once. */
import { accessKey, BY_NUMBER, boundKey, type Expr, operands, rewrite } from "./expr.ts";

/** Steps of repetitions by their identity: each is made once for an element type. */
const steps = new WeakMap<Expr, number>();
let nextStep = 0;

function stepNumber(step: Expr): number {
  const known = steps.get(step) ?? nextStep++;
  steps.set(step, known);
  return known;
}

const numberKey = (x: number | undefined): string => (Object.is(x, -0) ? "-0" : String(x));

/** What a node is besides its operands. −0 and 0 differ, a NaN is like any other. */
export function ownFacts(e: Expr, names = BY_NUMBER): string {
  switch (e.op) {
    case "const":
      return numberKey(e.value);
    case "index":
      return String(e.axis);
    case "accumulator":
      return "";
    case "load":
      return e.within ? `${accessKey(e.from, names)} ${e.within.map(boundKey)} ${numberKey(e.otherwise)}` : accessKey(e.from, names);
    case "inside":
      return e.within.map(boundKey).join();
    case "loadAt":
      return `${accessKey(e.from, names)} ${e.stride}`;
    case "inRange":
      return `${e.bound} ${e.fromEnd} ${names.check(e.check)}`;
    case "reduce":
      return `${e.combine} ${e.over.join(",")}`;
    case "parameter":
      return String(e.index);
    case "call":
      return e.callee.name;
    case "repeat":
      return String(stepNumber(e.step));
    default:
      return "";
  }
}

export function shared(roots: readonly Expr[]): Expr[] {
  const known = new Map<string, Expr>();
  const numbers = new Map<Expr, number>();
  return rewrite(roots, (e) => {
    const key = [e.op, e.dtype, ownFacts(e), ...operands(e).map((x) => numbers.get(x))].join("|");
    const first = known.get(key) ?? e;
    if (first === e) {
      known.set(key, e);
      numbers.set(e, numbers.size);
    }
    return first;
  });
}

/**
 * Symbol-to-symbol differentiation: Algorithms 6.5 (the outer part) and 6.6 (`build_grad`) of Goodfellow, Bengio and Courville,
 * *Deep Learning*. The answer is ordinary graph, so it can be differentiated again.
 */
import { isFloat } from "../core/dtype.ts";
import { DTypeError, GraphError, ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { withSite } from "../core/site.ts";
import type { Nested, NestedAttributes, OpBase, ResultAttributes, Value } from "../graph/op.ts";
import { descendants, topological } from "../graph/walk.ts";
import { add, onesLike } from "../ops/index.ts";

/**
 * ∂y/∂x for each x of `xs`, as new graph: same shape and dtype as x, or null where y does not depend on x.
 *
 * `seed` is what the gradient starts from, by default 1; with it, the result is Σᵢ seedᵢ · ∂yᵢ/∂x. The number of new nodes is linear in
 * the number of nodes between `xs` and y, whatever the number of paths.
 *
 * @throws GraphError if y is not a scalar and no seed is given; DTypeError if y is not a float.
 */
export function gradients(y: Value, xs: readonly Value[], seed?: Value): (Value | null)[] {
  if (!seed && y.shape.length > 0)
    throw new GraphError(`gradients: ${showShape(y.shape)} is not a scalar`, {
      why: "the gradient of several numbers is not one tensor",
      help: "sum or average it first, or give a seed of its shape",
      site: y.site,
    });
  checkFloat(y);
  return vjp([y], [seed ?? onesLike(y)], xs);
}

/** Σ over all outputs y of seedᵀ · ∂y/∂x for each x: `gradients` of several outputs at once. */
export function vjp(ys: readonly Value[], seeds: readonly Value[], xs: readonly Value[]): (Value | null)[] {
  ys.forEach((y, i) => {
    checkSeed(y, seeds[i]);
  });
  // Algorithm 6.5. The target set T is `xs`; G' is the graph without what does not lie between T and z.
  const pruned = prune(ys, xs);
  const table = new GradTable(pruned);
  ys.forEach((y, i) => {
    table.contribute(y, seeds[i]!);
  });
  // Algorithm 6.6, for all nodes rather than for one and, by recursion, for its consumers: in this order the consumers of a node
  // are done when it is reached, so that no chain is too long for the stack.
  for (const value of pruned.toReversed()) table.build(value);
  return xs.map((x) => table.grad(x));
}

/** G': ancestors of the outputs that are, or descend from, one of `xs`. Inputs before what uses them. */
function prune(ys: readonly Value[], xs: readonly Value[]): Value[] {
  const order = topological(ys);
  const reached = descendants(xs, order);
  return order.filter((v) => reached.has(v) && (isFloat(v.dtype) || v.op.kind === "nested"));
}

/** The book's `grad_table`, memoised: one entry per node of G', so a shared node is differentiated once. */
class GradTable {
  private readonly nodes: ReadonlySet<Value>;
  /** G⁽ⁱ⁾ summed so far over the consumers that are done. */
  private readonly sums = new Map<Value, Value>();
  /** The same for the results of a nested op, by number: they are consumers of its token. */
  private readonly results = new Map<Value, readonly (Value | null)[]>();

  constructor(pruned: readonly Value[]) {
    this.nodes = new Set(pruned);
  }

  /** The gradient of a node whose consumers are all done. */
  grad(v: Value): Value | null {
    return this.sums.get(v) ?? null;
  }

  contribute(v: Value, part: Value): void {
    const sum = this.sums.get(v);
    this.sums.set(v, sum ? withSite(v.site, () => add(sum, part)) : part);
  }

  /** op.bprop of a node C: what its gradient D sends to each of get_inputs(C). An input that C uses twice gets both parts. */
  build(consumer: Value): void {
    if (!consumer.inputs.some((x) => this.nodes.has(x))) return;
    withSite(consumer.site, () => this.parts(consumer)).forEach((part, i) => {
      const input = consumer.inputs[i]!;
      if (part && this.nodes.has(input)) this.contribute(input, part);
    });
  }

  private parts(consumer: Value): readonly (Value | null)[] {
    const { op, inputs, attributes } = consumer;
    if (op.kind === "nested") {
      const dys = this.results.get(consumer);
      const wanted = inputs.map((x) => this.nodes.has(x));
      return dys ? op.vjp(dys, consumer, wanted, vjp) : [];
    }
    const gradient = this.grad(consumer);
    if (!gradient) return [];
    if (op.kind !== "result") return (op as OpBase<readonly Value[], unknown>).vjp(gradient, inputs, consumer, attributes);
    this.contributeResult(inputs[0]!, (attributes as ResultAttributes).index, gradient);
    return [];
  }

  private contributeResult(token: Value, index: number, part: Value): void {
    const known = this.results.get(token) ?? (token.op as Nested).results(token.attributes as NestedAttributes).map(() => null);
    const sum = known[index];
    this.results.set(token, known.with(index, sum ? add(sum, part) : part));
  }
}

function checkFloat(y: Value): void {
  if (!isFloat(y.dtype))
    throw new DTypeError(`gradients: ${y.dtype} has no gradient`, {
      why: "only float32 and float64 change continuously",
      help: 'compute in floats, as in x.cast("float32")',
      site: y.site,
    });
}

function checkSeed(y: Value, seed: Value | undefined): void {
  checkFloat(y);
  if (!seed) throw new GraphError("vjp: there is an output without a seed", { site: y.site });
  if (!sameShape(seed.shape, y.shape))
    throw new ShapeError(`vjp: a seed of shape ${showShape(seed.shape)} for an output of shape ${showShape(y.shape)}`, { site: y.site });
  if (seed.dtype !== y.dtype) throw new DTypeError(`vjp: a ${seed.dtype} seed for a ${y.dtype} output`, { site: y.site });
}

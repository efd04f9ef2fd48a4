/** Derivatives of what users hold, on top of the transformations of graphs. */
import { isFloat } from "../core/dtype.ts";
import { ArgumentError, GraphError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { atUserLine, inUserCode } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { asTensor } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Flat, flatten, type Like, type Tree, unflatten } from "../tensor/tree.ts";
import { Variable } from "../tensor/variable.ts";
import * as graphs from "../transform/index.ts";
import { checkScalar, foundGradients } from "./found.ts";

export interface GradientOptions {
  /** What to do about an x that y does not depend on: an error, the default, or a gradient of zeros. */
  readonly unused?: "error" | "zero";
}

/** A tensor through which gradients can be taken. */
const tracked = (value: Value): Tensor => new Tensor(value, { tracked: true });

/** Numbers count as tensors where a function is called with its point. */
const numbersToo = { leaf: (x: unknown) => (typeof x === "number" ? asTensor(x, undefined, "tensor") : undefined) };

/**
 * ∂y/∂x for each x of a tree, as the same tree: tensors like any others, so they can be differentiated again.
 *
 * @throws GraphError if y is not a scalar, if it does not depend on an x (unless `unused: "zero"`), if an x was assigned after y was built, or if
 * an x is a plain tensor whose gradient nobody asked to keep (`tracked`); DTypeError if one of them is not a float.
 *
 * @example
 * const { W, b } = gradients(loss, { W: model.W, b: model.b });
 */
export function gradients<T extends Tree>(y: Tensor<[]>, xs: T, options: GradientOptions = {}): Like<T> {
  return atUserLine(() => {
    checkOptions("gradients", options, ["unused"]);
    const { unused = "error" } = options;
    if (unused !== "error" && unused !== "zero")
      throw new ArgumentError(`gradients: unused is ${show(unused)}`, { help: '"error" or "zero"' });
    const { leaves, paths, structure } = flatten(xs, "gradients");
    const names = leaves.map((x, i) => nameOf(x, paths[i]!));
    const found = foundGradients(y, leaves, names, "gradients");
    const missing = names.filter((_, i) => !found[i]);
    if (missing.length > 0 && unused === "error")
      throw new GraphError(`gradients: y does not depend on ${missing.join(", ")}`, {
        why: "no path of the graph leads there: it may have been left out, assigned, or cut by detach, by a variable's value or by a comparison",
        help: 'leave it out, or say { unused: "zero" }',
      });
    return unflatten(
      structure,
      found.map((g, i) => tracked(g ?? ops.zerosLike(leaves[i]!))),
    ) as Like<T>;
  });
}

function nameOf(x: Tensor, path: string): string {
  if (x instanceof Variable && x.name) return x.name;
  return path || String(x);
}

interface Called {
  readonly inputs: readonly Flat[];
  readonly xs: readonly Tensor[];
  readonly result: any;
}

/** Calls f with stand-ins that gradients can be taken with respect to, for the first `count` arguments. */
function call(f: (...args: any[]) => unknown, args: readonly unknown[], who: string, count = Number.POSITIVE_INFINITY): Called {
  if (typeof f !== "function")
    throw new ArgumentError(`${who}: ${show(f)} is no function`, { help: `${who}(f, …) with a function of tensors` });
  if (!Array.isArray(args))
    throw new ArgumentError(`${who}: the arguments are ${show(args)}`, { help: `an array of them: ${who}(f, [x], …)` });
  const inputs = args.slice(0, count).map((x) => flatten(x, who, numbersToo));
  const stands = inputs.map((flat) => flat.leaves.map((x) => (isFloat(x.dtype) ? x.tracked() : x)));
  const trees = inputs.map((flat, i) => unflatten(flat.structure, stands[i]!));
  return { inputs, xs: stands.flat(), result: inUserCode(() => f(...trees, ...args.slice(count))) };
}

/** Trees for the arguments from a flat list of gradients. */
function split(called: Called, values: readonly (Value | null)[]): any[] {
  let next = 0;
  return called.inputs.map((flat) =>
    unflatten(
      flat.structure,
      flat.leaves.map((leaf) => tracked(values[next++] ?? ops.zerosLike(leaf.node()))),
    ),
  );
}

/** f's gradient in its first argument, as a function: zeros where f does not use it. */
export function grad<A extends Tree, B extends Tree[]>(f: (x: A, ...rest: B) => Tensor<[]>): (x: A, ...rest: B) => Like<A> {
  return (x, ...rest) => valueAndGradOf("grad", f, x, rest)[1];
}

/** f's value and its gradient in the first argument. */
export function valueAndGrad<A extends Tree, B extends Tree[]>(
  f: (x: A, ...rest: B) => Tensor<[]>,
): (x: A, ...rest: B) => [value: Tensor<[]>, grad: Like<A>] {
  return (x, ...rest) => valueAndGradOf("valueAndGrad", f, x, rest);
}

function valueAndGradOf(who: string, f: (...args: any[]) => unknown, x: unknown, rest: readonly unknown[]): [Tensor<[]>, any] {
  return atUserLine(() => {
    const called = call(f, [x, ...rest], who, 1);
    const y = checkScalar(called.result, who);
    const nodes = called.xs.map((v) => v.node());
    return [y as Tensor<[]>, split(called, graphs.gradients(y.node(), nodes))[0]];
  });
}

/** Checks that `given` is a tree like `like`, with its shapes, and answers its values. */
function matching(given: unknown, like: readonly Flat[], who: string): Value[] {
  const found = (like.length === 1 ? [given] : (given as readonly unknown[])).map((tree) => flatten(tree, who, numbersToo));
  const [leaves, wanted] = [found.flatMap((f) => f.leaves), like.flatMap((f) => f.leaves)];
  if (leaves.length !== wanted.length) throw new GraphError(`${who}: ${leaves.length} tensors for ${wanted.length}`);
  return leaves.map((x, i) => {
    const w = wanted[i]!;
    if (!sameShape(x.shape, w.shape)) throw new ShapeError(`${who}: ${showShape(x.shape)} for ${showShape(w.shape)}`);
    const value = x.node();
    return value.dtype === w.dtype ? value : ops.cast(value, w.dtype);
  });
}

/** f's result, and how it moves when the arguments move by `tangents`: J · t. */
export function jvp<A extends Tree[], R extends Tree>(f: (...xs: A) => R, xs: A, tangents: Like<A>): [R, Like<R>] {
  return jvpOf(f, xs, tangents);
}

function jvpOf(f: (...xs: any[]) => unknown, xs: readonly unknown[], tangents: any): [any, any] {
  return atUserLine(() => {
    const called = call(f, xs, "jvp");
    if (!Array.isArray(tangents))
      throw new ArgumentError(`jvp: the tangents are ${show(tangents)}`, { help: "an array like the arguments" });
    const moves = called.inputs.flatMap((flat, i) => matching(tangents[i], [flat], "jvp"));
    const out = flatten(called.result, "jvp");
    const floats = out.leaves.filter((y) => isFloat(y.dtype));
    const [ys, inputs] = [floats.map((y) => y.node()), called.xs.map((x) => x.node())];
    const kept = inputs.map((x, i) => [x, moves[i]!] as const).filter(([x]) => isFloat(x.dtype));
    const moved = graphs.jvp(
      ys,
      kept.map(([x]) => x),
      kept.map(([, t]) => t),
    );
    const byTensor = new Map(floats.map((y, i) => [y, moved[i]!]));
    const leaves = out.leaves.map((y) => tracked(byTensor.get(y) ?? ops.zerosLike(y.node())));
    return [called.result, unflatten(out.structure, leaves)];
  });
}

/** f's result, and the function that pulls a gradient of the result back to the arguments: dyᵀ · J. */
export function vjp<A extends Tree[], R extends Tree>(f: (...xs: A) => R, ...xs: A): [R, (dy: Like<R>) => Like<A>] {
  const called = atUserLine(() => call(f, xs, "vjp"));
  const out = flatten(called.result, "vjp");
  const pull = (dy: Like<R>): Like<A> =>
    atUserLine(() => {
      const seeds = matching(dy, [out], "vjp");
      const pairs = out.leaves.map((y, i) => [y.node(), seeds[i]!] as const).filter(([y]) => isFloat(y.dtype));
      const found = graphs.vjp(
        pairs.map(([y]) => y),
        pairs.map(([, seed]) => seed),
        called.xs.map((x) => x.node()),
      );
      return split(called, found) as Like<A>;
    });
  return [called.result as R, pull];
}

function single(f: (x: any) => unknown, x: unknown, who: string): { y: Value; x: Value } {
  const called = call(f, [x], who);
  if (called.xs.length !== 1 || !(called.result instanceof Tensor))
    throw new GraphError(`${who}: the function takes one tensor and gives one`);
  return { y: called.result.node(), x: called.xs[0]!.node() };
}

/** ∂y/∂x for every element of y and of x: shape [...y.shape, ...x.shape]. */
export function jacobian(f: (x: Tensor) => Tensor): (x: Tensor) => Tensor {
  return (at) =>
    atUserLine(() => {
      const { y, x } = single(f, at, "jacobian");
      return tracked(graphs.jacobian(y, [x])[0]!);
    });
}

/** ∂²y/∂x² of a scalar: shape [...x.shape, ...x.shape]. */
export function hessian(f: (x: Tensor) => Tensor<[]>): (x: Tensor) => Tensor {
  return (at) =>
    atUserLine(() => {
      const checked = (x: Tensor): Tensor => checkScalar(f(x), "hessian");
      const { y, x } = single(checked, at, "hessian");
      return tracked(graphs.hessian(y, x));
    });
}

/** Hessian times vector, at about the price of two gradients: the Hessian is never made. */
export function hvp<T extends Tree>(f: (x: T) => Tensor<[]>, x: T, v: Like<T>): Like<T> {
  return atUserLine(() => {
    const called = call(f, [x], "hvp");
    const y = checkScalar(called.result, "hvp").node();
    const vs = matching(v, called.inputs, "hvp");
    const found = graphs.hvp(
      y,
      called.xs.map((s) => s.node()),
      vs,
    );
    return split(called, found)[0] as Like<T>;
  });
}

/**
 * f with a gradient of its own: `backward` gets the gradient and the value of y and the arguments, and answers a gradient for each argument (null where none
 * flows). It is written with tensors, so it can be differentiated again.
 *
 * @example
 * const straightThrough = customGradient((x: Tensor) => x.gt(0).cast("float32"), (dy) => [dy]);
 */
export function customGradient<A extends Tensor[]>(
  f: (...xs: A) => Tensor,
  backward: (dy: Tensor, y: Tensor, ...xs: A) => { [I in keyof A]: Tensor | null },
): (...xs: A) => Tensor {
  return (...xs) => {
    const y = f(...xs);
    return atUserLine(() => {
      const rule: ops.Backward = (dy, out, ...inputs) =>
        backward(tracked(dy), tracked(out), ...(inputs.map(tracked) as A)).map((g) => g?.node() ?? null);
      const inputs = xs.map((x) => x.node());
      const value = ops.custom(y.node(), inputs, rule);
      return new Tensor(value, { tracked: xs.some((x) => x.isTracked) });
    });
  };
}

/** The same tree, seen as constants by every gradient. */
export function stopGradient<T extends Tree>(x: T): Like<T> {
  const { leaves, structure } = flatten(x, "stopGradient");
  return unflatten(
    structure,
    leaves.map((leaf) => leaf.detach()),
  ) as Like<T>;
}

/**
 * Newton's method without a Hessian: each step solves H d = ∇f by conjugate gradients, which need H only as a function v → H v (Martens 2010).
 * Run it with `npx tsx examples/newton.ts`.
 */
import { compile, grad, hvp, type Tensor, tensor } from "gradus";

/** Rosenbrock's valley: the minimum is 0, at (1, 1). */
const f = (p: Tensor): Tensor => {
  const [x, y] = [p.at(0), p.at(1)];
  return y.sub(x.square()).square().mul(100).add(x.sub(1).square());
};

const slope = compile((p: Tensor) => ({ value: f(p), gradient: grad(f)(p) }));
const curvature = compile((p: Tensor, v: Tensor) => hvp(f, p, v));

type Vector = readonly number[];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const plus = (a: Vector, b: Vector, scale: number): Vector => a.map((v, i) => v + scale * b[i]!);
const double = (v: Vector): Tensor => tensor(Float64Array.from(v));

/** d with H d = g, for a positive definite H. */
async function solve(at: Vector, g: Vector): Promise<Vector> {
  let [d, rest, direction]: [Vector, Vector, Vector] = [g.map(() => 0), g, g];
  for (let i = 0; i < g.length && dot(rest, rest) > 1e-24; i++) {
    const h = Array.from(await curvature(double(at), double(direction)).data());
    const bend = dot(direction, h);
    // Curved downward: Newton's step would lead uphill, the gradient does not.
    if (bend <= 0) return i === 0 ? g : d;
    const length = dot(rest, rest) / bend;
    const next = plus(rest, h, -length);
    d = plus(d, direction, length);
    direction = plus(next, direction, dot(next, next) / dot(rest, rest));
    rest = next;
  }
  return d;
}

let p: Vector = [-1.2, 1];
for (let step = 0; step <= 30; step++) {
  const { value, gradient } = slope(double(p));
  const loss = await value.item();
  console.log(`step ${step}: f(${p.map((v) => v.toFixed(4)).join(", ")}) = ${loss.toExponential(2)}`);
  if (loss < 1e-20) break;
  const d = await solve(p, Array.from(await gradient.data()));
  // Half the step until it goes down.
  let scale = 1;
  while (scale > 1e-6 && (await slope(double(plus(p, d, -scale))).value.item()) > loss) scale /= 2;
  p = plus(p, d, -scale);
}

/** The computation graphs of Goodfellow, Bengio and Courville's Fig. 6.8 and 6.11, as DOT. */
import { gradients, type Tensor, variable, zeros } from "gradus";
import { crossEntropy } from "gradus/nn";
import { toDot } from "../../src/graph/dot.ts";
import type { Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";

const named = (names: Record<string, Tensor>): Map<Value, string> => new Map(Object.entries(names).map(([name, t]) => [t.node(), name]));
const cell = (...shape: number[]) => variable(zeros(shape));

/** Fig. 6.8 (a): z = xy. */
function product(): string {
  const [x, y] = [cell(), cell()];
  const z = x.mul(y);
  return toDot([z.node()], { names: named({ x, y, z }) });
}

/** Fig. 6.8 (b): ŷ = σ(xᵀw + b). */
function logisticRegression(): string {
  const [x, w, b] = [cell(3), cell(3), cell()];
  const u1 = x.dot(w);
  const u2 = u1.add(b);
  const y = u2.sigmoid();
  return toDot([y.node()], { names: named({ x, w, b, "u₁": u1, "u₂": u2, "ŷ": y }) });
}

/** Fig. 6.8 (c): H = max(0, XW + b). */
function rectifiers(): string {
  const [X, W, b] = [cell(5, 3), cell(3, 4), cell(4)];
  const U1 = X.matmul(W);
  const U2 = U1.add(b);
  const H = U2.relu();
  return toDot([H.node()], { names: named({ X, W, b, "U₁": U1, "U₂": U2, H }) });
}

/** Fig. 6.8 (d): ŷ = xᵀw and λ Σ w², from the same w. */
function weightDecay(): string {
  const [x, w, lambda] = [cell(3), cell(3), cell()];
  const y = x.dot(w);
  const u1 = w.square();
  const u2 = u1.sum();
  const u3 = lambda.mul(u2);
  return toDot([y.node(), u3.node()], { names: named({ x, w, "λ": lambda, "ŷ": y, "u₁": u1, "u₂": u2, "u₃": u3 }) });
}

/** Fig. 6.11: cross-entropy and weight decay of a network with one hidden layer; then with the gradients of both weight matrices. */
function networkCost(): { cost: string; withGradient: string } {
  const [X, W1, W2] = [cell(8, 4), cell(4, 6), cell(6, 3)];
  const y = variable(zeros([8, 3])); // one row of probabilities per example
  const H = X.matmul(W1).relu();
  const logits = H.matmul(W2);
  const data = crossEntropy(logits, y);
  const decay = W1.square().sum().add(W2.square().sum()).mul(0.01);
  const J = data.add(decay);
  const names = { X, y, "W⁽¹⁾": W1, "W⁽²⁾": W2, H, logits, "J (MLE)": data, "weight decay": decay, J };
  const [d1, d2] = gradients(J, [W1, W2]);
  const forward = new Set(topological([J.node()]));
  const added = topological([d1!.node(), d2!.node()]).filter((v) => !forward.has(v));
  return {
    cost: toDot([J.node()], { names: named(names) }),
    withGradient: toDot([J.node(), d1!.node(), d2!.node()], {
      names: named({ ...names, "∂J/∂W⁽¹⁾": d1!, "∂J/∂W⁽²⁾": d2! }),
      colours: new Map(added.map((v) => [v, "#fde3cc"])),
    }),
  };
}

/** Names of pictures and their DOT texts. */
export function graphs(): Record<string, string> {
  const { cost, withGradient } = networkCost();
  return {
    "course-fig-6-8-a": product(),
    "course-fig-6-8-b": logisticRegression(),
    "course-fig-6-8-c": rectifiers(),
    "course-fig-6-8-d": weightDecay(),
    "course-fig-6-11": cost,
    "course-fig-6-11-gradient": withGradient,
  };
}

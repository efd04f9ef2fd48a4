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

/**
 * Fig. 6.11: cross-entropy and weight decay of a network with one hidden layer; then with the gradients of both weight matrices. As in the book,
 * the cross-entropy is one node, and so is its gradient.
 */
function networkCost(): { cost: string; withGradient: string } {
  const [X, W1, W2] = [cell(8, 4), cell(4, 6), cell(6, 3)];
  const y = variable(zeros([8, 3])); // one row of probabilities per example
  const lambda = cell();
  const U1 = X.matmul(W1);
  const H = U1.relu();
  const U2 = H.matmul(W2);
  const data = crossEntropy(U2, y);
  const [u3, u5] = [W1.square(), W2.square()];
  const [u4, u6] = [u3.sum(), u5.sum()];
  const u7 = u4.add(u6);
  const u8 = u7.mul(lambda);
  const J = data.add(u8);
  const names = { X, y, "W⁽¹⁾": W1, "W⁽²⁾": W2, "λ": lambda, "U⁽¹⁾": U1, H, "U⁽²⁾": U2, "J_MLE": data, "u⁽³⁾": u3, "u⁽⁴⁾": u4, "u⁽⁵⁾": u5, "u⁽⁶⁾": u6, "u⁽⁷⁾": u7, "u⁽⁸⁾": u8, J };
  const [d1, d2, G, dH] = gradients(J, [W1, W2, U2, H]);
  const forward = new Set(topological([J.node()]));
  const added = topological([d1!.node(), d2!.node()]).filter((v) => !forward.has(v));
  const collapsed = new Map([
    [data.node(), { name: "cross_entropy", inputs: [U2.node(), y.node()] }],
    [G!.node(), { name: "(softmax − y) / 8", inputs: [U2.node(), y.node()] }],
  ]);
  return {
    cost: toDot([J.node()], { names: named(names), collapsed, types: false }),
    withGradient: toDot([J.node(), d1!.node(), d2!.node()], {
      names: named({ ...names, "G = ∂J/∂U⁽²⁾": G!, "∂J/∂H": dH!, "∂J/∂W⁽¹⁾": d1!, "∂J/∂W⁽²⁾": d2! }),
      colours: new Map(added.map((v) => [v, "#fde3cc"])),
      collapsed,
      types: false,
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

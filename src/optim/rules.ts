/** The update rules, one object each: what is remembered per parameter, and how it and the parameter change. */
import type { Tensor } from "../index.ts";

/** Numbers of one step that all parameters share, in float64. */
export interface Step {
  /** The rate of this step. */
  readonly lr: Tensor<[]>;
  /** Updates made before this one. */
  readonly before: Tensor<[]>;
}

/** A parameter, its gradient, and what is remembered about it: all of the same shape and dtype. */
export interface Update {
  readonly p: Tensor;
  readonly g: Tensor;
  /** The slots, in the order of the rule's. */
  readonly memory: readonly Tensor[];
}

export interface Rule {
  readonly name: string;
  /** What is remembered per parameter, and what it starts from. */
  readonly slots: readonly { readonly name: string; readonly start: number }[];
  /** Scalars made once a step, for all parameters. */
  prepare(step: Step): readonly Tensor<[]>[];
  /** The parameter and its memory after the step. `scalars` are those of `prepare`, in the parameter's dtype. */
  update(update: Update, scalars: readonly Tensor<[]>[]): { readonly p: Tensor; readonly memory: readonly Tensor[] };
}

const slots = (...names: string[]): Rule["slots"] => names.map((name) => ({ name, start: 0 }));

export interface SgdRule {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly dampening: number;
  readonly l1: number;
}

/**
 * v' = μ v + (1 − damp) g (v' = g at first), then p' = p − lr · v', or with Nesterov p − lr · (g + μ v').
 * With l1 the proximal step follows: p'' = sign(p') · max(|p'| − lr · l1, 0), which makes exact zeros.
 *
 * Polyak 1964; Nesterov 1983; Sutskever et al. 2013. Proximal step: Daubechies, Defrise and De Mol 2004.
 */
export const sgdRule = ({ momentum, nesterov, dampening, l1 }: SgdRule): Rule => {
  const shrink = (p: Tensor, lr: Tensor): Tensor => {
    const bound = lr.mul(l1);
    // p minus its nearest point within the bound: no sign, no absolute value.
    return l1 === 0 ? p : p.sub(p.maximum(bound.neg()).minimum(bound));
  };
  return {
    name: "sgd",
    slots: momentum === 0 ? [] : slots("momentum"),
    prepare: ({ lr, before }) =>
      dampening === 0
        ? [lr]
        : [
            lr,
            before
              .eq(0)
              .cast("float64")
              .mul(dampening)
              .add(1 - dampening),
          ],
    update: ({ p, g, memory: [v] }, [lr, share]) => {
      if (!v) return { p: shrink(p.sub(g.mul(lr!)), lr!), memory: [] };
      const next = v.mul(momentum).add(share ? g.mul(share) : g);
      const direction = nesterov ? g.add(next.mul(momentum)) : next;
      return { p: shrink(p.sub(direction.mul(lr!)), lr!), memory: [next] };
    },
  };
};

/** a' = a + g², p' = p − lr / (1 + t · decay) · g / (√a' + eps). Duchi, Hazan and Singer 2011. */
export const adagradRule = ({ lrDecay, initialAccumulator, eps }: { lrDecay: number; initialAccumulator: number; eps: number }): Rule => ({
  name: "adagrad",
  slots: [{ name: "sum", start: initialAccumulator }],
  prepare: ({ lr, before }) => [lrDecay === 0 ? lr : lr.div(before.mul(lrDecay).add(1))],
  update: ({ p, g, memory: [a] }, [lr]) => {
    const sum = a!.add(g.square());
    return { p: p.sub(g.mul(lr!).div(sum.sqrt().add(eps))), memory: [sum] };
  },
});

export interface RmspropRule {
  readonly alpha: number;
  readonly eps: number;
  readonly momentum: number;
  readonly centered: boolean;
}

/**
 * s' = α s + (1 − α) g², d = g / (√s' + eps), then p' = p − lr · d, or with momentum v' = μ v + d, p' = p − lr · v'.
 * Centred: √(s' − m'²) with the mean gradient m'. Tieleman and Hinton 2012; centred: Graves 2013.
 */
export const rmspropRule = ({ alpha, eps, momentum, centered }: RmspropRule): Rule => ({
  name: "rmsprop",
  slots: slots("square", ...(centered ? ["mean"] : []), ...(momentum === 0 ? [] : ["momentum"])),
  prepare: ({ lr }) => [lr],
  update: ({ p, g, memory }, [lr]) => {
    const square = memory[0]!.mul(alpha).add(g.square().mul(1 - alpha));
    const mean = centered ? memory[1]!.mul(alpha).add(g.mul(1 - alpha)) : undefined;
    const variance = mean ? square.sub(mean.square()) : square;
    const scaled = g.div(variance.sqrt().add(eps));
    const next = momentum === 0 ? scaled : memory.at(-1)!.mul(momentum).add(scaled);
    return { p: p.sub(next.mul(lr!)), memory: [square, ...(mean ? [mean] : []), ...(momentum === 0 ? [] : [next])] };
  },
});

export interface AdamRule {
  readonly name: "adam" | "adamW";
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** p shrinks by lr · decay before the step. */
  readonly decoupledDecay: number;
}

/**
 * m' = β₁ m + (1 − β₁) g, v' = β₂ v + (1 − β₂) g², p' = p − lr / (1 − β₁ᵗ) · m' / (√v' / √(1 − β₂ᵗ) + eps).
 * The corrections are computed in float64, as PyTorch does on the host.
 * Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019.
 */
export const adamRule = ({ name, betas: [beta1, beta2], eps, decoupledDecay }: AdamRule): Rule => ({
  name,
  slots: slots("mean", "square"),
  prepare: ({ lr, before }) => {
    const t = before.add(1);
    // 1 − βᵗ without cancellation; β = 0 gives 1.
    const correction = (beta: number): Tensor<[]> => t.mul(Math.log(beta)).expm1().neg() as Tensor<[]>;
    const decay = decoupledDecay === 0 ? [] : [lr.mul(-decoupledDecay).add(1)];
    return [lr.div(correction(beta1)), correction(beta2).sqrt(), ...decay] as Tensor<[]>[];
  },
  update: ({ p, g, memory: [m, v] }, [rate, root, keep]) => {
    const mean = m!.mul(beta1).add(g.mul(1 - beta1));
    const square = v!.mul(beta2).add(g.square().mul(1 - beta2));
    const direction = mean.div(square.sqrt().div(root!).add(eps));
    return { p: (keep ? p.mul(keep) : p).sub(direction.mul(rate!)), memory: [mean, square] };
  },
});

/** Which kernel each contraction has become, in words. */
import { showShape, sizeOf } from "../core/shape.ts";
import { operationOf } from "../graph/dot.ts";
import { inputSlots } from "../graph/form.ts";
import type { Form, Value } from "../graph/op.ts";
import { type Contraction, labelsOf, type Roles, type Rows, rolesOf, type Why } from "../schedule/contraction.ts";

export interface ExplainedContraction {
  /** "matmul [64, 784] · [100, 784]ᵀ", or "einsum abc,adc->bd [8, 4, 16] · [8, 5, 16]". */
  readonly what: string;
  /** The user's line, where it is known. */
  readonly site: string;
  /** "tiled product, 64 × 100 sums of 784 terms", of convolutions with what the rows of its tiles are, or "plain loops". */
  readonly kernel: string;
  /** Why it is no tiled product; "" where it is one. */
  readonly why: string;
}

export function explainContraction(v: Value, contraction: Contraction): ExplainedContraction {
  const form = v.attributes as Form;
  const roles = rolesOf(form);
  const size = (labels: readonly number[]): number => sizeOf(labels.map((l) => form.axes[l]!.size));
  const [batch, m, n, k] = [size(roles.batch), size(roles.m), size(roles.n), size(roles.k)];
  return {
    what: whatOf(v, roles),
    site: v.site?.toString() ?? "",
    kernel:
      contraction.as === "product"
        ? `tiled product, ${batch > 1 ? `${batch} × ` : ""}${m} × ${n} sums of ${k} terms${ROWS[contraction.rows]}`
        : "plain loops",
    why: contraction.as === "product" ? "" : WORDS[contraction.why]({ m, n, k, dtype: v.dtype }),
  };
}

const ROWS: Readonly<Record<Rows, string>> = {
  matrix: "",
  images: ", images as rows",
  pixels: ", pixels as rows",
  taps: ", taps and channels as rows",
};

/** A product of matrices as one that could be written so, with its ᵀ; any other contraction with the letters of einsum. */
function whatOf(v: Value, { batch, k }: Roles): string {
  const form = v.attributes as Form;
  const [a, b] = inputSlots(form).map((slot) => labelsOf(form, slot)) as [number[], number[]];
  const shapes = v.inputs.map((x) => showShape(x.shape));
  if (operationOf(v) === "matmul" && [a, b].every((labels) => batch.every((l, i) => labels[i] === l))) {
    // The summed axis comes last in what stands left, and before the columns in what stands right.
    const across = [a.at(-1) !== k[0], b.length > batch.length + 1 && b.at(-1) === k[0]];
    return `matmul ${shapes.map((shape, i) => (across[i] ? `${shape}ᵀ` : shape)).join(" · ")}`;
  }
  const letters = new Map([...new Set([...a, ...b])].map((label, i) => [label, LETTERS[i]]));
  const text = [a, b, labelsOf(form, form.result)].map((labels) => labels.map((l) => letters.get(l)).join(""));
  return `einsum ${text[0]},${text[1]}->${text[2]} ${shapes.join(" · ")}`;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: string;
}

const WORDS: Readonly<Record<Why, (sizes: Sizes) => string>> = {
  unoptimised: () => "optimisation is off",
  "whole numbers": ({ dtype }) => `tiles are for floats, and this is ${dtype}`,
  vector: ({ m, n }) =>
    m < 2 && n < 2 ? "two vectors have no rows to share" : "a matrix times a vector reads each element once: tiles save nothing",
  "short sum": ({ k }) => (k === 1 ? "its sums have one term" : `sums of ${k} terms are too short to pack operands for`),
  small: ({ m, n, k }) => `${m} × ${n} × ${k} multiplications are too few to pack operands for`,
};

/** "matmul [8, 3] · [3, 2]: plain loops (…)   train.ts:14", a line each. */
export const printContractions = (contractions: readonly ExplainedContraction[]): string =>
  contractions.map(({ what, kernel, why, site }) => `${what}: ${kernel}${why && ` (${why})`}${site && `   ${site}`}`).join("\n");

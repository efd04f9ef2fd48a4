import { isInteger } from "../core/dtype.ts";
import { DTypeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import type { DType, Tensor, Variable } from "../index.ts";
import { checkSize, checkTensor } from "./arguments.ts";
import { normal } from "./initializers.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface EmbeddingOptions {
  /** Of the table. Default float32. */
  readonly dtype?: DType;
}

/**
 * A learned vector for each of `count` symbols: y[i…] = weight[x[i…]].
 *
 * Shapes: x [...] of integers, weight [count, features], result [..., features]. The table starts from N(0, 1), as PyTorch's `nn.Embedding`.
 *
 * @throws DTypeError if x does not hold integers; OutOfRangeError at run time for a symbol outside 0 … count − 1
 * @example
 * const embedding = init(new Embedding(65, 16), 0);
 * embedding.forward(tensor([[3, 1]], { dtype: "int32" })).shape;   // [1, 2, 16]
 */
export class Embedding extends Module {
  readonly count: number;
  readonly features: number;
  readonly weight: Variable;

  constructor(count: number, features: number, options: EmbeddingOptions = {}) {
    super();
    checkOptions("Embedding", options, ["dtype"], takeSite);
    const { dtype = "float32" } = options;
    this.count = checkSize(count, "Embedding: count");
    this.features = checkSize(features, "Embedding: features");
    this.weight = parameter([count, features], normal(), { dtype });
  }

  forward(x: Tensor): Tensor {
    return atUserLine(() => {
      checkTensor(x, "Embedding");
      if (!isInteger(x.dtype))
        throw new DTypeError(`Embedding: the symbols are ${x.dtype}`, { why: "a symbol is a row number", help: 'x.cast("int32")' });
      return this.weight.gather(x);
    }, "Embedding");
  }
}

import { isInteger } from "../core/dtype.ts";
import { ArgumentError, DTypeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { arange, customGradient, type DType, type Tensor, type Variable, where } from "../index.ts";
import { checkInput, checkSize } from "./arguments.ts";
import { type Initializer, normal } from "./initializers.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface EmbeddingOptions {
  /** The symbol that fills short sequences up: its row starts as 0 and is never trained. Negative ones count from the end. */
  readonly paddingIdx?: number;
  /** Of the table. Default float32. */
  readonly dtype?: DType;
}

/**
 * A learned vector for each of `count` symbols: y[i…] = weight[x[i…]].
 *
 * Shapes: x [...] of integers, weight [count, features], result [..., features]. The table starts from N(0, 1), as PyTorch's `nn.Embedding`.
 *
 * @throws ArgumentError if there is no row `paddingIdx`; DTypeError if x does not hold integers; OutOfRangeError at run time for a symbol outside 0 … count − 1
 * @example
 * const embedding = init(new Embedding(65, 16), 0);
 * embedding.forward(tensor([[3, 1]], { dtype: "int32" })).shape;   // [1, 2, 16]
 */
export class Embedding extends Module {
  readonly count: number;
  readonly features: number;
  readonly paddingIdx: number | undefined;
  readonly weight: Variable;

  constructor(count: number, features: number, options: EmbeddingOptions = {}) {
    super();
    checkOptions("Embedding", options, ["paddingIdx", "dtype"], takeSite);
    const { paddingIdx, dtype = "float32" } = options;
    this.count = checkSize(count, "Embedding: count");
    this.features = checkSize(features, "Embedding: features");
    this.paddingIdx = paddingIdx === undefined ? undefined : rowOf(paddingIdx, count);
    this.weight = parameter([count, features], this.paddingIdx === undefined ? normal() : zeroAt(this.paddingIdx), { dtype });
  }

  forward(x: Tensor): Tensor;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return atUserLine(() => {
      checkInput(x, rest, "Embedding");
      if (!isInteger(x.dtype))
        throw new DTypeError(`Embedding: the symbols are ${x.dtype}`, { why: "a symbol is a row number", help: 'x.cast("int32")' });
      const rows = this.weight.gather(x);
      return this.paddingIdx === undefined ? rows : untrained(this.paddingIdx)(rows, x);
    }, "Embedding");
  }
}

function rowOf(paddingIdx: number, count: number): number {
  if (Number.isInteger(paddingIdx) && paddingIdx >= -count && paddingIdx < count) return paddingIdx < 0 ? paddingIdx + count : paddingIdx;
  throw new ArgumentError(`Embedding: paddingIdx is ${show(paddingIdx)}`, {
    why: `it is one of the ${count} symbols, 0 … ${count - 1}, or counted from the end`,
    site: takeSite(),
  });
}

/** N(0, 1), and 0 in one row. */
const zeroAt =
  (row: number): Initializer =>
  (rng, shape) =>
    where(arange(shape[0]!).eq(row).unsqueeze(-1), 0, normal()(rng, shape));

/** The rows as they are, of which those of this symbol send no gradient. */
const untrained = (symbol: number): ((rows: Tensor, x: Tensor) => Tensor) =>
  customGradient(
    (rows: Tensor, _x: Tensor) => rows,
    (dy, _, _rows, x) => [where(x.eq(symbol).unsqueeze(-1), 0, dy), null],
  );

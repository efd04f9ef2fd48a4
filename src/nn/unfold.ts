/** Layers that take images apart into columns, and put columns together. */
import { checkOptions } from "../core/options.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { perAxis, slidings } from "../core/sliding.ts";
import { fold, type PerAxis, type Tensor, type UnfoldOptions, unfold } from "../index.ts";
import { checkInput } from "./arguments.ts";
import { Module } from "./module.ts";

const OPTIONS = ["stride", "padding", "dilation"];

/**
 * What lies under a window at each of its positions, as columns. See `unfold` of `gradus`.
 *
 * Shapes: x [..., c, h, w] → [..., c · kh · kw, positions].
 *
 * @throws ArgumentError for options that are none; ShapeError for a window that does not fit
 */
export class Unfold extends Module {
  readonly kernelSize: PerAxis;
  readonly how: UnfoldOptions;

  constructor(kernelSize: PerAxis, options: UnfoldOptions = {}) {
    super();
    checkOptions("Unfold", options, OPTIONS, takeSite);
    atUserLine(() => slidings("Unfold", 2, { ...options, kernelSize }));
    this.kernelSize = kernelSize;
    this.how = { ...options };
  }

  forward(x: Tensor): Tensor;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return atUserLine(() => {
      checkInput(x, rest, "Unfold");
      return unfold(x, this.kernelSize, this.how);
    }, "Unfold");
  }
}

/**
 * Columns put where they lie in an image, and added up where windows overlap: the adjoint of `Unfold`. See `fold` of `gradus`.
 *
 * Shapes: x [..., c · kh · kw, positions] → [..., c, h, w], where [h, w] is the output size.
 *
 * @throws ArgumentError for options that are none; ShapeError for columns that are not of such an image
 */
export class Fold extends Module {
  readonly outputSize: PerAxis;
  readonly kernelSize: PerAxis;
  readonly how: UnfoldOptions;

  constructor(outputSize: PerAxis, kernelSize: PerAxis, options: UnfoldOptions = {}) {
    super();
    checkOptions("Fold", options, OPTIONS, takeSite);
    atUserLine(() => {
      perAxis(outputSize, 2, 1, "Fold: the output size");
      slidings("Fold", 2, { ...options, kernelSize });
    });
    this.outputSize = outputSize;
    this.kernelSize = kernelSize;
    this.how = { ...options };
  }

  forward(x: Tensor): Tensor;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return atUserLine(() => {
      checkInput(x, rest, "Fold");
      return fold(x, this.outputSize, this.kernelSize, this.how);
    }, "Fold");
  }
}

/** The cells in which optimisers keep their learning rate. */
import { ArgumentError } from "../core/errors.ts";
import { showShape } from "../core/shape.ts";
import { inUserCode } from "../core/site.ts";
import { Tensor, type TensorLike, tensor, Variable } from "../index.ts";
import { checkRate, type Schedule } from "./schedules.ts";

/** A float64 scalar: rates, counts and corrections are kept as exactly as PyTorch keeps them on the host. */
export const scalar = (value: number): Tensor<[]> => tensor(value, { dtype: "float64" }) as Tensor<[]>;

/** The schedule's rate after this many updates. */
export function rateAt(schedule: Schedule, step: Tensor<[]>): Tensor<[]> {
  const rate: unknown = inUserCode(() => schedule(step));
  if (rate instanceof Tensor && rate.shape.length === 0) return rate.cast("float64");
  throw new ArgumentError("a schedule must answer a scalar tensor", {
    why: `this one answered ${rate instanceof Tensor ? showShape(rate.shape) : String(rate)}`,
    help: "compute with the step it is given, as in (step) => step.mul(-0.01).exp()",
  });
}

/** A rate that users set: numbers are checked, tensors of other floats are cast. */
export class RateCell extends Variable<[]> {
  readonly #who: string;

  constructor(lr: number, who: string) {
    super(scalar(lr), { name: "lr", trainable: false });
    this.#who = who;
  }

  override assign(value: TensorLike): void {
    if (typeof value === "number") checkRate(value, `${this.#who}: lr`);
    super.assign(value instanceof Tensor ? value.cast("float64") : value);
  }
}

/** The rate that a schedule used last, to be looked at. The program writes the cell behind it. */
export class ShownRate extends Variable<[]> {
  readonly #source: Variable<[]>;
  readonly #who: string;

  constructor(source: Variable<[]>, who: string) {
    super(source.content(), { name: "lr", trainable: false });
    this.#source = source;
    this.#who = who;
  }

  override get value(): Tensor<[]> {
    return this.#source.value;
  }

  override content(): Tensor<[]> {
    return this.#source.content();
  }

  override node(): ReturnType<Variable["node"]> {
    return this.#source.node();
  }

  override ownNode(): ReturnType<Variable["node"]> {
    return this.#source.ownNode();
  }

  override assign(_: TensorLike): void {
    throw new ArgumentError(`${this.#who}: the rate follows a schedule`, {
      why: "the next step would compute it anew",
      help: "make the optimiser with lr: number to set it by hand",
    });
  }
}

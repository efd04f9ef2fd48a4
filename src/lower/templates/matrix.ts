/** Loops over the rows of matrices: what factorisations and triangular systems are made of. */
import { bytesOf } from "../../core/dtype.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import type { Serial } from "../../kernel/kernel.ts";
import {
  type Int,
  type IntLocal,
  iadd,
  imul,
  int,
  irem,
  isub,
  type Lane,
  type Statement,
  type Vec,
  type VecBinary,
  type VecLocal,
  vec,
} from "../../kernel/loop.ts";
import { ArgumentBlock } from "../loops/block.ts";
import type { LoopContext } from "../loops/machine.ts";
import { asLane, laneOf, maskFor } from "../loops/scalar.ts";
import { lanesFor, loop, set } from "./parts.ts";

/** The element type of a kernel's matrices, and statements over them. Addresses are bytes, positions count elements. */
export class Elements {
  readonly dtype: "float32" | "float64";
  readonly lane: Lane;
  readonly bytes: number;
  readonly mask: "mask32" | "mask64";
  readonly lanes: number;

  constructor(kernel: Serial, context: LoopContext) {
    this.dtype = kernel.dtype === "float64" ? "float64" : "float32";
    this.lane = laneOf(this.dtype);
    this.mask = maskFor(this.lane);
    this.bytes = bytesOf(this.dtype);
    this.lanes = lanesFor(kernel, context);
  }

  /** The address of the element at a position from `base`. */
  at(base: Int, position: Int): Int {
    return iadd(base, imul(position, this.bytes));
  }

  /** One element, in every lane. */
  one(at: Int): Vec {
    return { op: "load", dtype: this.dtype, form: "splat", at, lane: this.lane };
  }

  /** As many elements as there are lanes. */
  many(at: Int): Vec {
    return { op: "load", dtype: this.dtype, form: "vector", at, lane: this.lane };
  }

  store(at: Int, value: Vec): Statement {
    return { do: "store", dtype: this.dtype, at, value, form: "first" };
  }

  constant(value: number): Vec {
    return { op: "splat", value, lane: this.lane };
  }

  /** A whole number as an element. */
  whole(value: Int): Vec {
    return { op: "convert", args: [{ op: "splatInt", value, lane: "i32" }], lane: this.lane };
  }

  binary(op: VecBinary, a: Vec, b: Vec): Vec {
    return { op, args: [a, b], lane: this.lane };
  }

  fma(a: Vec, b: Vec, c: Vec): Vec {
    return { op: "fma", args: [a, b, c], lane: this.lane };
  }

  negative(a: Vec): Vec {
    return { op: "neg", args: [a], lane: this.lane };
  }

  absolute(a: Vec): Vec {
    return { op: "abs", args: [a], lane: this.lane };
  }

  compare(op: "eq" | "ne" | "lt", a: Vec, b: Vec): Vec {
    return { op, args: [a, b], lane: this.mask };
  }

  local(name: string): VecLocal {
    return vec(name, this.lane);
  }

  let(local: VecLocal, value: Vec): Statement {
    return { do: "vec", local, value };
  }

  /** Stores something for the positions from … to − 1, a vector at a time; what is computed beyond `to` is not stored. */
  along(
    name: string,
    from: Int,
    to: Int,
    stores: (position: Int) => Stored[],
    before: (position: Int) => Statement[] = () => [],
  ): Statement[] {
    const [c, whole] = [int(name), int(`${name}Whole`)];
    const { dtype, lanes } = this;
    return [
      set(whole, isub(to, irem(isub(to, from), lanes))),
      loop(c, from, whole, [...before(c), ...stores(c).map((s): Statement => ({ do: "store", dtype, ...s, form: "vector" }))], lanes),
      loop(
        c,
        whole,
        to,
        [...before(c), ...stores(c).map((s): Statement => ({ do: "store", dtype, ...s, form: "partial", count: isub(to, c) }))],
        lanes,
      ),
    ];
  }
}

/** A vector and where it goes. */
interface Stored {
  readonly at: Int;
  readonly value: Vec;
}

/** Whether a mask is set in its first lane, as a test. */
export const holds = (mask: Vec): Int => ({ op: "lane", of: asLane(mask, "i32"), lane: 0 });

/** Notes that the matrix of this number is unfit at this row, where `bad` says so. */
export function reportRow(cell: Int, bad: Vec, matrix: IntLocal, row: Int): Statement {
  const whole = (value: Int): Vec => ({ op: "splatInt", value, lane: "i32" });
  return { do: "report", cell, bad: asLane(bad, "mask32"), position: whole(matrix), value: whole(row), count: 1 };
}

/** What a factorisation of matrices begins with: A […, n, n] at `source`, its result (`name`) at `target`, `count` matrices of `length` rows. */
export function squareMatrices(kernel: Serial, context: LoopContext, name: string) {
  const e = new Elements(kernel, context);
  const [shape] = kernel.shapes as [Shape];
  const block = new ArgumentBlock();
  const [from, to] = [kernel.reads[0]!, kernel.write];
  const source = block.address(from.buffer, from.offset * e.bytes, "a");
  const target = block.address(to.buffer, to.offset * e.bytes, name);
  return { e, block, source, target, n: block.size(shape.at(-1)!, "n"), length: shape.at(-1)!, count: sizeOf(shape.slice(0, -2)) };
}

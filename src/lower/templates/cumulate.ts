import { bytesOf } from "../../core/dtype.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import type { Serial } from "../../kernel/kernel.ts";
import { iadd, imul, int, isub, type Statement, type Vec, vec } from "../../kernel/loop.ts";
import { ArgumentBlock } from "../loops/block.ts";
import type { LoopContext } from "../loops/machine.ts";
import { laneOf } from "../loops/scalar.ts";
import type { Lowered } from "../target.ts";
import { finish, lanesFor, loop, set, sharedOut } from "./parts.ts";
import type { LoopTemplate } from "./template.ts";

/** Attributes of `cumulate`. */
export interface CumulateAttributes {
  readonly combine: "sum" | "product";
  /** From the last element to the first. */
  readonly reverse: boolean;
}

/** Running sums and products along the last axis. */
export const cumulate: LoopTemplate<CumulateAttributes> = { name: "cumulate", lower };

function lower(kernel: Serial<CumulateAttributes>, context: LoopContext): Lowered {
  const { dtype } = kernel;
  const bytes = bytesOf(dtype);
  const lane = laneOf(dtype);
  const [shape] = kernel.shapes as [Shape];
  const length = shape.at(-1)!;
  const block = new ArgumentBlock();
  const [from, to] = [kernel.reads[0]!, kernel.write];
  const source = block.address(from.buffer, from.offset * bytes, "x");
  const target = block.address(to.buffer, to.offset * bytes, "y");
  const n = block.size(length, "n");
  const [row, i, at, k] = [int("row"), int("i"), int("at"), int("k")];
  const acc = vec("acc", lane);
  const sum = kernel.attributes.combine !== "product";
  const element: Vec = { op: "load", dtype, form: "splat", at: iadd(source, at), lane };
  const inner: Statement[] = [
    set(k, kernel.attributes.reverse ? isub(isub(n, 1), i) : i),
    set(at, imul(iadd(imul(row, n), k), bytes)),
    { do: "vec", local: acc, value: { op: sum ? "add" : "mul", args: [acc, element], lane } },
    { do: "store", dtype, at: iadd(target, at), value: acc, form: "first" },
  ];
  const body: Statement[] = [{ do: "vec", local: acc, value: { op: "splat", value: sum ? 0 : 1, lane } }, loop(i, 0, n, inner)];
  const { statements, blocks } = sharedOut(sizeOf(shape.slice(0, -1)), block, length * 4, row, body);
  const work = sizeOf(shape) * 4;
  return finish({ block, body: statements, lanes: lanesFor(kernel, context), blocks, work }, [from.buffer], [to.buffer]);
}

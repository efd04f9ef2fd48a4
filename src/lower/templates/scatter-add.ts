import { bytesOf } from "../../core/dtype.ts";
import type { Access } from "../../kernel/expr.ts";
import type { Serial } from "../../kernel/kernel.ts";
import { type IntLocal, iadd, idiv, ile, ilt, imul, int, irem, isub, type Statement, type Vec } from "../../kernel/loop.ts";
import { ArgumentBlock } from "../loops/block.ts";
import type { LoopContext } from "../loops/machine.ts";
import { laneOf } from "../loops/scalar.ts";
import type { Lowered } from "../target.ts";
import { BEGIN, END, finish, lanesFor, loop, set } from "./parts.ts";
import type { LoopTemplate } from "./template.ts";

/** Reads indices [batch, count] and updates [batch, count, row], adds into [batch, bound, row], which holds the initial values. */
export interface ScatterAddAttributes {
  readonly batch: number;
  readonly count: number;
  readonly row: number;
  readonly bound: number;
}

/** Adds rows of updates to the rows they name. Each block owns some rows of the result and goes through all indices in order. */
export const scatterAdd: LoopTemplate<ScatterAddAttributes> = { name: "scatterAdd", lower };

function lower(kernel: Serial<ScatterAddAttributes>, context: LoopContext): Lowered {
  const { dtype } = kernel;
  const { bound, batch, count, row } = kernel.attributes;
  const lanes = lanesFor(kernel, context);
  const bytes = bytesOf(dtype);
  const lane = laneOf(dtype);
  const block = new ArgumentBlock();
  const [indices, updates] = kernel.reads as [Access, Access];
  const work = batch * count * (row + 4);
  const parts = work < 1 << 16 ? 1 : Math.min(8, bound);
  const [index, source, target] = [
    block.address(indices.buffer, indices.offset * 4, "indices"),
    block.address(updates.buffer, updates.offset * bytes, "updates"),
    block.address(kernel.write.buffer, kernel.write.offset * bytes, "y"),
  ];
  const [batches, n, length, rows, pieces] = [batch, count, row, bound, parts].map((size, i) => block.size(size, `n${i}`));
  const [b, j, r, at, low, high, from, to, whole] = ["b", "j", "r", "at", "low", "high", "from", "to", "whole"].map(int) as IntLocal[];
  const position = imul(r!, bytes);
  const sum: Vec = {
    op: "add",
    lane,
    args: [
      { op: "load", dtype, form: "vector", at: iadd(to!, position), lane },
      { op: "load", dtype, form: "vector", at: iadd(from!, position), lane },
    ],
  };
  const addRow: Statement[] = [
    set(from!, iadd(source, imul(imul(iadd(imul(b!, n!), j!), length!), bytes))),
    set(to!, iadd(target, imul(imul(iadd(imul(b!, rows!), at!), length!), bytes))),
    loop(r!, 0, whole!, [{ do: "store", dtype, at: iadd(to!, position), value: sum, form: "vector" }], lanes),
    loop(
      r!,
      whole!,
      length!,
      [{ do: "store", dtype, at: iadd(to!, position), value: sum, form: "partial", count: isub(length!, whole!) }],
      lanes,
    ),
  ];
  const body: Statement[] = [
    set(low!, idiv(imul(BEGIN, rows!), pieces!)),
    set(high!, idiv(imul(END, rows!), pieces!)),
    set(whole!, isub(length!, irem(length!, lanes))),
    loop(b!, 0, batches!, [
      loop(j!, 0, n!, [
        set(at!, { op: "word", at: iadd(index, imul(iadd(imul(b!, n!), j!), 4)) }),
        { do: "if", test: { op: "and", a: ile(low!, at!), b: ilt(at!, high!) }, then: addRow },
      ]),
    ]),
  ];
  return finish({ block, body, lanes, blocks: parts, work }, [indices.buffer, updates.buffer, kernel.write.buffer], [kernel.write.buffer]);
}

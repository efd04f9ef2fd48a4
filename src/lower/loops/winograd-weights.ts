/** The weights of Winograd's products: U = G g Gᵀ for each pair of channels, in panels that the register tile reads from front to back. */
import { bytesOf } from "../../core/dtype.ts";
import type { Product } from "../../kernel/kernel.ts";
import {
  type Int,
  type IntLocal,
  iadd,
  idiv,
  imin,
  imul,
  int,
  irem,
  isub,
  type LoopModule,
  type Vec,
  type VecLocal,
} from "../../kernel/loop.ts";
import type { LoweredCall } from "../target.ts";
import { ArgumentBlock, blockSize, keyOf } from "./block.ts";
import { Lines } from "./lines.ts";
import type { LoopContext } from "./machine.ts";
import { columnsOf } from "./product-tile.ts";
import { type Form, TAPS, type WinogradPlan } from "./winograd-form.ts";

const LANE = "f32";
const add = (a: Vec, b: Vec): Vec => ({ op: "add", args: [a, b], lane: LANE });
const sub = (a: Vec, b: Vec): Vec => ({ op: "sub", args: [a, b], lane: LANE });
const halved = (a: Vec): Vec => ({ op: "mul", args: [a, { op: "splat", value: 0.5, lane: LANE }], lane: LANE });

/** G g for three numbers: g₀, (g₀ + g₁ + g₂)/2, (g₀ − g₁ + g₂)/2, g₂. */
function transformed([a, b, c]: readonly VecLocal[], lines: Lines): VecLocal[] {
  const [outer, inner] = [lines.vec(halved(add(a!, c!))), lines.vec(halved(b!))];
  return [a!, lines.vec(add(outer, inner)), lines.vec(sub(outer, inner)), c!];
}

/** Bytes of the 16 matrices of a panel of results. */
export const panelOfWeights = ({ tile }: WinogradPlan, { channels }: Form): number =>
  TAPS * channels * columnsOf(tile) * bytesOf(tile.dtype);

/** The call that makes the panels: for each panel of results and each tap a matrix [channels, columns]. */
export function weightsCall(
  { b, n }: Product,
  form: Form,
  plan: WinogradPlan,
  context: LoopContext,
): { buffer: number; call: LoweredCall } {
  const { lanes, vectors } = plan.tile;
  const bytes = bytesOf(plan.tile.dtype);
  const whole = plan.panels * panelOfWeights(plan, form);
  const buffer = context.allocate(whole, plan.tile.dtype);
  const block = new ArgumentBlock();
  const [args, begin, end, thread] = ["arguments", "begin", "end", "thread"].map(int) as [IntLocal, IntLocal, IntLocal, IntLocal];
  const from = block.address(b.buffer, b.offset * bytes, "from");
  const to = block.address(buffer, 0, "to");
  const [channels, results] = [block.size(form.channels, "channels"), block.size(n, "results")];
  const rowStep = block.size(b.rowStride * bytes, "rowStep");
  const [rowTap, columnTap, channelStep] = b.depthStrides.map((s) => block.size(s * bytes, "tapStep")) as [IntLocal, IntLocal, IntLocal];
  const panel = block.size(panelOfWeights(plan, form), "panel");
  const matrix = block.size(panelOfWeights(plan, form) / TAPS, "matrix");
  const units = plan.panels * form.channels;
  const each = blockSize(units, TAPS * 3 * columnsOf(plan.tile));
  const size = block.size(each, "each");
  const lines = new Lines();
  lines.loop("unit", imul(begin, size), imin(imul(end, size), block.size(units, "units")), 1, (unit, body) => {
    const [c, q] = [body.int(irem(unit, channels), "c"), body.int(idiv(unit, channels), "q")];
    const source = body.int(iadd(from, imul(c, channelStep)), "source");
    const target = body.int(iadd(iadd(to, imul(q, panel)), imul(c, columnsOf(plan.tile) * bytes)), "target");
    const last: Vec = { op: "splatInt", value: isub(results, 1), lane: "i32" };
    for (let v = 0; v < vectors; v++) {
      const first = iadd(imul(q, columnsOf(plan.tile)), v * lanes);
      // Behind the last result it stands again: nobody stores what comes of it.
      const index = body.vec({ op: "pmin", args: [{ op: "ramp", value: first, lane: "i32" }, last], lane: "i32" }, "row");
      const tap = (i: number, j: number): VecLocal => {
        const at: Int = iadd(iadd(source, imul(rowTap, i)), imul(columnTap, j));
        return body.vec({ op: "gather", dtype: "float32", at: body.int(at, "at"), index, step: rowStep, lane: LANE }, "g");
      };
      const columns = [0, 1, 2].map((j) => transformed([0, 1, 2].map((i) => tap(i, j)), body)); // biome-ignore format: one line
      for (let i = 0; i < 4; i++)
        transformed(columns.map((column) => column[i]!), body).forEach((value, j) => {
          const at = iadd(iadd(target, imul(matrix, i * 4 + j)), v * lanes * bytes);
          body.statements.push({ do: "store", dtype: "float32", at, value, form: "vector" });
        }); // biome-ignore format: one loop
    }
  });
  const entry = { name: "kernel", parameters: [args, begin, end, thread], body: [...block.prologue, ...lines.statements] };
  const module: LoopModule = { lanes, helpers: [], entry };
  const call: LoweredCall = {
    code: { key: keyOf(module), module },
    arguments: block.words,
    blocks: Math.ceil(units / each),
    work: units * columnsOf(plan.tile) * TAPS * 3,
    reads: [b.buffer],
    writes: [buffer],
    label: "transform",
  };
  return { buffer, call };
}

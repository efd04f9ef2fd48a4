import { bytesOf } from "../../core/dtype.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import type { Serial } from "../../kernel/kernel.ts";
import { type Int, type IntLocal, iadd, ile, ilt, imin, imul, int, irem, type Statement, type Vec, vec } from "../../kernel/loop.ts";
import { ArgumentBlock } from "../loops/block.ts";
import type { LoopContext } from "../loops/machine.ts";
import { asLane, laneOf } from "../loops/scalar.ts";
import type { Lowered } from "../target.ts";
import { finish, lanesFor, loop, set, sharedOut } from "./parts.ts";
import type { LoopTemplate } from "./template.ts";

/** Attributes of `argsort`. */
export interface ArgsortAttributes {
  readonly descending: boolean;
}

/** Bottom-up merge sort of positions: stable; NaN counts as the largest. */
export const argsort: LoopTemplate<ArgsortAttributes> = { name: "argsort", lower };

function lower(kernel: Serial<ArgsortAttributes>, context: LoopContext): Lowered {
  const { dtype } = kernel;
  const [shape] = kernel.shapes as [Shape];
  const length = shape.at(-1)!;
  const rows = sizeOf(shape.slice(0, -1));
  const block = new ArgumentBlock();
  const [from, to] = [kernel.reads[0]!, kernel.write];
  const spare = context.allocate(rows * length * 4, "int32");
  const bytes = bytesOf(dtype);
  const values = block.address(from.buffer, from.offset * bytes, "x");
  const result = block.address(to.buffer, to.offset * 4, "y");
  const other = block.address(spare, 0, "spare");
  const n = block.size(length, "n");
  const passes = Math.ceil(Math.log2(Math.max(1, length)));
  const [row, i, pass, width, low] = [int("row"), int("i"), int("pass"), int("width"), int("low")];
  const [x, source, target, swap] = [int("x"), int("source"), int("target"), int("swap")];
  const word = (at: Int): Int => ({ op: "word", at });
  const merge = mergeRuns({ x, source, target, low, width, n, dtype, descending: kernel.attributes.descending });
  const body: Statement[] = [
    set(x, iadd(values, imul(imul(row, n), bytes))),
    set(source, iadd(result, imul(imul(row, n), 4))),
    set(target, iadd(other, imul(imul(row, n), 4))),
    loop(i, 0, n, [{ do: "word", at: iadd(source, imul(i, 4)), value: i }]),
    set(width, 1),
    loop(pass, 0, block.size(passes, "passes"), [
      loop(low, 0, n, merge, imul(width, 2)),
      set(swap, source),
      set(source, target),
      set(target, swap),
      set(width, imul(width, 2)),
    ]),
    // After an odd number of passes the order is in the spare row, and `target` is the result.
    {
      do: "if",
      test: irem(block.size(passes, "odd"), 2),
      then: [loop(i, 0, n, [{ do: "word", at: iadd(target, imul(i, 4)), value: word(iadd(source, imul(i, 4))) }])],
    },
  ];
  const { statements, blocks } = sharedOut(rows, block, length * passes * 10, row, body);
  const work = rows * length * Math.max(1, passes) * 10;
  return finish({ block, body: statements, lanes: lanesFor(kernel, context), blocks, work }, [from.buffer], [to.buffer, spare]);
}

interface Runs {
  readonly x: IntLocal;
  readonly source: IntLocal;
  readonly target: IntLocal;
  readonly low: IntLocal;
  readonly width: IntLocal;
  readonly n: IntLocal;
  readonly dtype: Serial["dtype"];
  readonly descending: boolean;
}

/** Merges the sorted runs [low, low + width) and [low + width, low + 2 · width). */
function mergeRuns({ x, source, target, low, width, n, dtype, descending }: Runs): Statement[] {
  const [middle, high, i, j, k, right, chosen] = ["middle", "high", "left", "rightAt", "k", "right", "chosen"].map(int) as IntLocal[];
  const lane = laneOf(dtype);
  const at = (position: Int): Int => ({ op: "word", at: iadd(source, imul(position, 4)) });
  const element = (position: Int): Vec => ({ op: "load", dtype, form: "splat", at: iadd(x, imul(at(position), bytesOf(dtype))), lane });
  const [a, b] = [vec("a", lane), vec("b", lane)];
  return [
    set(middle!, imin(iadd(low, width), n)),
    set(high!, imin(iadd(low, imul(width, 2)), n)),
    set(i!, low),
    set(j!, middle!),
    loop(k!, low, high!, [
      set(right!, ile(middle!, i!)),
      {
        do: "if",
        test: { op: "and", a: ilt(i!, middle!), b: ilt(j!, high!) },
        then: [
          { do: "vec", local: a, value: element(i!) },
          { do: "vec", local: b, value: element(j!) },
          set(right!, { op: "lane", of: comesFirst(b, a, descending), lane: 0 }),
        ],
      },
      {
        do: "if",
        test: right!,
        then: [set(chosen!, at(j!)), set(j!, iadd(j!, 1))],
        else: [set(chosen!, at(i!)), set(i!, iadd(i!, 1))],
      },
      { do: "word", at: iadd(target, imul(k!, 4)), value: chosen! },
    ]),
  ];
}

/** 1 where b must stand before a although it came after it. */
function comesFirst(b: Vec, a: Vec, descending: boolean): Vec {
  const float = a.lane === "f32" || a.lane === "f64";
  const mask = a.lane === "f64" ? "mask64" : "mask32";
  const [small, large] = descending ? [a, b] : [b, a];
  const less: Vec = { op: "lt", args: [small, large], lane: mask };
  if (!float) return asLane(less, "i32");
  const notANumber = (v: Vec): Vec => ({ op: "ne", args: [v, v], lane: mask });
  // The larger one is NaN and the smaller is not.
  const over: Vec = { op: "and", args: [notANumber(large), { op: "eq", args: [small, small], lane: mask }], lane: mask };
  return asLane({ op: "or", args: [less, over], lane: mask }, "i32");
}

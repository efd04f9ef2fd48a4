/** Accumulators of reductions: how they start, take an element, and end in one value that stands in every lane. */
import { COMBINES, type Combine, givesPosition, type Reduction } from "../../kernel/expr.ts";
import type { Lane, Statement, Vec, VecLocal } from "../../kernel/loop.ts";
import { asLane, laneOf, maskFor } from "./scalar.ts";

export interface Accumulator {
  /** `first`: the position of the first element that each lane meets. */
  start(first: () => Vec): Statement[];
  /** Takes `parts` (one value, or the two factors of one) into copy `copy`; lanes outside `mask` do not count. */
  step(copy: number, parts: readonly Vec[], mask: Vec | undefined, position: () => Vec): Statement[];
  /** The result; `keep` gives what it needs on the way a name. */
  finish(keep: (v: Vec) => Vec): Vec;
}

/**
 * @param copies independent partial results, so that one addition need not wait for the last
 * @param inLanes whether the lanes of a vector are elements of this reduction, to be combined at the end
 */
export function accumulator(r: Reduction, copies: number, inLanes: boolean, local: (lane: Lane) => VecLocal): Accumulator {
  const { combine } = r;
  if (givesPosition(combine)) return extremePosition(r, inLanes, local);
  const lane = laneOf(r.dtype);
  const accs = Array.from({ length: copies }, () => local(lane));
  const identity: Vec = { op: "splat", value: identityOf(combine, lane), lane };
  const set = (to: VecLocal, value: Vec): Statement => ({ do: "vec", local: to, value });
  return {
    start: () => accs.map((a) => set(a, identity)),
    step(copy, parts, mask) {
      const acc = accs[copy]!;
      if (parts.length === 2) {
        const counted = (v: Vec): Vec =>
          mask ? { op: "select", args: [asLane(mask, maskFor(lane)), asLane(v, lane), identity], lane } : asLane(v, lane);
        const factors = [counted(parts[0]!), counted(parts[1]!)] as const;
        if (lane === "f32" || lane === "f64") return [set(acc, { op: "fma", args: [...factors, acc], lane })];
        return [set(acc, { op: "add", args: [acc, { op: "mul", args: factors, lane }], lane })];
      }
      const value = asLane(parts[0]!, lane);
      const counted: Vec = mask ? { op: "select", args: [asLane(mask, maskFor(lane)), value, identity], lane } : value;
      return [set(acc, combined(combine, acc, counted, lane))];
    },
    finish(keep) {
      let parts: Vec[] = accs;
      while (parts.length > 1) {
        const half = parts.length / 2;
        parts = parts.slice(0, half).map((p, i) => keep(combined(combine, p, parts[i + half]!, lane)));
      }
      return inLanes ? keep(acrossLanes(combine, parts[0]!, lane, keep)) : parts[0]!;
    },
  };
}

/** What a reduction starts from, and what changes nothing in it. */
export function identityOf(combine: Combine, lane: Lane): number {
  const float = lane === "f32" || lane === "f64";
  switch (combine) {
    case "sum":
      return 0;
    case "product":
      return 1;
    case "max":
    case "argmax":
      return float ? -Infinity : lane === "i32" ? -(2 ** 31) : 0;
    case "min":
    case "argmin":
      return float ? Infinity : lane === "i32" ? 2 ** 31 - 1 : 2 ** 32 - 1;
  }
}

function combined(combine: Combine, a: Vec, b: Vec, lane: Lane): Vec {
  if (combine === "sum") return { op: "add", args: [a, b], lane };
  if (combine === "product") return { op: "mul", args: [a, b], lane };
  const extreme: Vec = { op: combine === "max" ? "pmax" : "pmin", args: [a, b], lane };
  if (lane !== "f32" && lane !== "f64") return extreme;
  // pmax(a, b) keeps a where either is NaN: right for a NaN in a; one in b is chosen here.
  const nan: Vec = { op: "ne", args: [b, b], lane: maskFor(lane) as "mask32" };
  return { op: "select", args: [nan, b, extreme], lane };
}

function acrossLanes(combine: Combine, acc: Vec, lane: Lane, keep: (v: Vec) => Vec): Vec {
  const across = (op: "add" | "mul" | "pmin" | "pmax"): Vec => ({ op: "across", combine: op, args: [acc], lane });
  if (combine === "sum") return across("add");
  if (combine === "product") return across("mul");
  const extreme = keep(across(combine === "max" ? "pmax" : "pmin"));
  if (lane !== "f32" && lane !== "f64") return extreme;
  const width = maskFor(lane);
  const nan = keep({ op: "ne", args: [acc, acc], lane: width });
  const any = keep({ op: "across", combine: "or", args: [nan], lane: width });
  return { op: "select", args: [any, { op: "splat", value: Number.NaN, lane }, extreme], lane };
}

/** argmax, argmin: the value and the position of the first extreme, of elements that come in the order of their positions; the first NaN is the extreme of all. */
function extremePosition(r: Reduction, inLanes: boolean, local: (lane: Lane) => VecLocal): Accumulator {
  const lane = laneOf(r.of.dtype);
  const most = COMBINES[r.combine].extreme!;
  const best = local(lane);
  const place = local("i32");
  const width = maskFor(lane);
  const set = (to: VecLocal, value: Vec): Statement => ({ do: "vec", local: to, value });
  const float = lane === "f32" || lane === "f64";
  const worst: Vec = { op: "splat", value: identityOf(most, lane), lane };
  return {
    // A lane that meets nothing better than the identity answers its own first position.
    start: (first) => [set(best, worst), set(place, inLanes ? first() : { op: "splat", value: 0, lane: "i32" })],
    step(_copy, parts, mask, position) {
      const value = asLane(parts[0]!, lane);
      const counted: Vec = mask ? { op: "select", args: [asLane(mask, width), value, worst], lane } : value;
      const v = local(lane);
      const better = local(width);
      const notBeaten: Vec = { op: "le", args: most === "max" ? [v, best] : [best, v], lane: width };
      const beats: Vec = { op: "not", args: [notBeaten], lane: width };
      const open: Vec = { op: "eq", args: [best, best], lane: width };
      return [
        set(v, counted),
        set(better, float ? { op: "and", args: [beats, open], lane: width } : beats),
        set(place, { op: "select", args: [asLane(better, "mask32"), position(), place], lane: "i32" }),
        set(best, { op: "select", args: [better, v, best], lane }),
      ];
    },
    finish(keep) {
      if (!inLanes) return place;
      const firstWhere = (mask: Vec): Vec => {
        const far: Vec = { op: "splat", value: 2 ** 31 - 1, lane: "i32" };
        return keep({
          op: "across",
          combine: "pmin",
          lane: "i32",
          args: [keep({ op: "select", args: [asLane(mask, "mask32"), place, far], lane: "i32" })],
        });
      };
      const top = keep({ op: "across", combine: most === "max" ? "pmax" : "pmin", args: [best], lane });
      const atTop = firstWhere(keep({ op: "eq", args: [best, top], lane: width }));
      if (!float) return atTop;
      const nan = keep({ op: "ne", args: [best, best], lane: width });
      const any = asLane(keep({ op: "across", combine: "or", args: [nan], lane: width }), "mask32");
      const atNaN = firstWhere(nan);
      return keep({ op: "select", args: [any, atNaN, atTop], lane: "i32" });
    },
  };
}

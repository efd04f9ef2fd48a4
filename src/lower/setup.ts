/**
 * What need not be computed at every run: calls that read nothing but constants, variables which the program never writes, and each other's
 * results. They run when one of those variables has changed, and what the other calls read of them is kept from run to run.
 */
import { type Kernel, nodesOf, readsOf, writesOf } from "../kernel/kernel.ts";
import type { Argument, Buffer, Kept } from "../kernel/program.ts";
import type { LoweredCall } from "./target.ts";

/** What a kernel or a call reads and writes, and whether it can fail a check, which must be told at every run. */
interface Touching {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly fallible: boolean;
}

/** Buffers that hold the same at every run, unless somebody else changes a variable. */
export function settledBuffers(kernels: readonly Kernel[], buffers: readonly Buffer[]): ReadonlySet<number> {
  const touching = kernels.map(touchingOf);
  return settledBy(touching, settledCalls(touching, buffers, new Set()), buffers);
}

function touchingOf(k: Kernel): Touching {
  const fallible =
    k.kind === "serial" ? k.check !== undefined : (k.kind === "rows" && k.guards.length > 0) || nodesOf(k).some((e) => e.op === "inRange");
  return { reads: readsOf(k).map((a) => a.buffer), writes: writesOf(k).map((a) => a.buffer), fallible };
}

const ofCall = ({ reads, writes, arguments: words }: LoweredCall<unknown>): Touching => ({
  reads,
  writes,
  fallible: words.some((word) => typeof word === "object" && "check" in word),
});

/** For each call whether it is settled: everything it reads is, and nothing but settled calls writes what it writes. */
function settledCalls(calls: readonly Touching[], buffers: readonly Buffer[], refused: ReadonlySet<number>): boolean[] {
  const settled = calls.map((c) => !c.fallible && c.writes.every((b) => buffers[b]!.place === "scratch" && !refused.has(b)));
  for (;;) {
    const known = settledBy(calls, settled, buffers);
    let changed = false;
    calls.forEach((c, i) => {
      if (!settled[i] || (c.reads.every((b) => known.has(b)) && c.writes.every((b) => known.has(b)))) return;
      settled[i] = false;
      changed = true;
    });
    if (!changed) return settled;
  }
}

/** What is settled if these calls are. A buffer that is read in between, by a call that is not, and then written again is not. */
function settledBy(calls: readonly Touching[], settled: readonly boolean[], buffers: readonly Buffer[]): Set<number> {
  const written = new Set<number>();
  const others = new Set<number>();
  const readBefore = new Set<number>();
  calls.forEach((c, i) => {
    for (const b of c.writes) {
      written.add(b);
      if (!settled[i] || readBefore.has(b)) others.add(b);
    }
    if (!settled[i]) for (const b of c.reads) readBefore.add(b);
  });
  const holds = ({ id, place }: Buffer): boolean =>
    place === "constant" || (place === "variable" ? !written.has(id) : place === "scratch" && written.has(id) && !others.has(id));
  return new Set(buffers.filter(holds).map((b) => b.id));
}

export interface SetApart<C> {
  readonly setup: C[];
  readonly rest: (C | "commit")[];
  /** What the rest reads of the setup. */
  readonly kept: readonly number[];
}

/** The calls of the setup and the others, each in their order; at most `keep` bytes of results are kept. */
export function setApart<C extends LoweredCall<any>>(
  calls: readonly (C | "commit")[],
  buffers: readonly Buffer[],
  keep: number,
): SetApart<C> {
  const list = calls.filter((c) => c !== "commit") as C[];
  const touching = list.map(ofCall);
  const refused = new Set<number>();
  for (;;) {
    const settled = keep > 0 ? settledCalls(touching, buffers, refused) : list.map(() => false);
    const setup = list.filter((_, i) => settled[i]);
    const made = new Set(setup.flatMap((c) => c.writes));
    const kept = [...new Set(list.flatMap((c, i) => (settled[i] ? [] : c.reads.filter((b) => made.has(b)))))];
    const sizes = kept.map((b) => buffers[b]!.bytes);
    if (sizes.reduce((sum, bytes) => sum + bytes, 0) <= keep) {
      const moved = new Set<C | "commit">(setup);
      return { setup, rest: calls.filter((c) => !moved.has(c)), kept };
    }
    // The largest goes first: the others may then all stay.
    refused.add(kept[sizes.indexOf(Math.max(...sizes))]!);
  }
}

/** What tells a kept buffer's content from all others: the calls that make it, and what they read. */
export function contentOf(buffer: number, setup: readonly LoweredCall<any>[], codeOf: (key: string) => number): Kept["content"] {
  const made = new Set(setup.flatMap((c) => c.writes));
  const parts: (string | { readonly buffer: number } | { readonly code: number })[] = [];
  const numbers = new Map<number, number>();
  const describe = (b: number): void => {
    if (!made.has(b)) parts.push({ buffer: b });
    else if (numbers.has(b)) parts.push(`#${numbers.get(b)}`);
    else {
      numbers.set(b, numbers.size);
      parts.push("[");
      for (const c of setup) if (c.writes.includes(b)) call(c);
      parts.push("]");
    }
  };
  const call = (c: LoweredCall<any>): void => {
    parts.push({ code: codeOf(c.code.key) }, `${c.blocks}(`);
    for (const word of c.arguments) argument(word);
    parts.push(")");
  };
  const argument = (word: Argument): void => {
    if (typeof word === "number") parts.push(`${word},`);
    else if ("buffer" in word) {
      describe(word.buffer);
      parts.push(`+${word.offset},`);
    } else parts.push("scratch,");
  };
  describe(buffer);
  return parts;
}

/**
 * What programs compute once and keep: a program's setup runs when the content of a variable that it reads is not the one its results were made
 * of. Programs that make the same of the same variables share the result, so that packed weights lie in the heap once for all of them.
 */
import { bytesOf, type TypedArray } from "../core/dtype.ts";
import { InternalError } from "../core/errors.ts";
import type { Kept, Program } from "../kernel/program.ts";
import type { Heap } from "../runtime/heap.ts";
import type { LoadedProgram, Runner } from "../runtime/runner.ts";
import { Slot } from "./slots.ts";

/** The part of a heap that kept results may take, and the part of what is free: others need room too. */
const [OF_ALL, OF_FREE] = [1 / 4, 1 / 2];

/** A result in the heap: who reads it, and of which contents it was made. */
interface Result {
  readonly slot: Slot;
  users: number;
  /** The versions of the variables, in the order of `sources`; undefined while nothing was computed, or it failed. */
  madeOf: readonly number[] | undefined;
}

/** The results of one heap by their contents. */
interface Results {
  readonly byContent: Map<string, Result>;
  bytes: number;
}

const known = new WeakMap<Heap, Results>();

function resultsIn(heap: Heap): Results {
  let results = known.get(heap);
  if (!results) known.set(heap, (results = { byContent: new Map(), bytes: 0 }));
  return results;
}

/** How many bytes a new program may keep. */
export function roomToKeep(heap: Heap): number {
  const { bytes } = resultsIn(heap);
  return Math.max(0, Math.floor(Math.min(OF_ALL * heap.maximumBytes - bytes, OF_FREE * (heap.maximumBytes - heap.used))));
}

/** Numbers for what contents are made of. */
const codeNumbers = new Map<string, number>();
const numbers = new WeakMap<object, number>();
let next = 0;

function numberOf(thing: object): number {
  const number = numbers.get(thing) ?? next++;
  numbers.set(thing, number);
  return number;
}

function codeNumber(key: string): number {
  const number = codeNumbers.get(key) ?? next++;
  codeNumbers.set(key, number);
  return number;
}

const versionsOf = (slots: readonly Slot[]): number[] => slots.map((slot) => slot.version);

function areAt(slots: readonly Slot[], versions: readonly number[] | undefined): boolean {
  if (!versions) return false;
  for (let i = 0; i < slots.length; i++) if (slots[i]!.version !== versions[i]) return false;
  return true;
}

/** What a program's buffers hold: variables by their slot, constants by their numbers. */
export type Source = (buffer: number) => Slot | TypedArray;

/** A kept result of one program: the slots of the variables it was made of. */
interface Use {
  readonly content: string;
  readonly result: Result;
  readonly sources: readonly Slot[];
}

/** The kept results of one program. It knows no cells, so that whoever holds it keeps none of them alive. */
export class KeptResults {
  private readonly heap: Heap;
  private readonly uses: Use[] = [];
  private readonly slots = new Map<number, Slot>();
  private readonly sources: readonly Slot[];
  /** The versions of `sources` for which all results are known to be right. */
  private seen: readonly number[] | undefined;
  private loaded: LoadedProgram | undefined;

  /** @throws MemoryError where the heap has no room; then nothing is held */
  constructor(runner: Runner, program: Program, source: Source) {
    this.heap = runner.heap;
    const all = new Set<Slot>();
    try {
      for (const kept of program.setup?.kept ?? []) this.use(kept, program, runner, source);
    } catch (error) {
      this.dispose();
      throw error;
    }
    for (const { sources } of this.uses) for (const slot of sources) all.add(slot);
    this.sources = [...all];
  }

  private use({ buffer, content }: Kept, program: Program, { name }: Runner, source: Source): void {
    const results = resultsIn(this.heap);
    const sources = new Set<Slot>();
    const word = (part: Kept["content"][number]): string => {
      if (typeof part === "string") return part;
      if ("code" in part) return `code ${codeNumber(program.codes[part.code]!.key)} `;
      const from = source(part.buffer);
      if (from instanceof Slot) sources.add(from);
      return `of ${numberOf(from)}`;
    };
    const key = [name, ...content.map(word)].join(" ");
    const { dtype, bytes } = program.buffers[buffer]!;
    let result = results.byContent.get(key);
    if (!result) {
      result = { slot: new Slot(this.heap, dtype, bytes / bytesOf(dtype), "what a program keeps"), users: 0, madeOf: undefined };
      results.byContent.set(key, result);
      results.bytes += bytes;
    }
    result.users++;
    this.uses.push({ content: key, result, sources: [...sources] });
    this.slots.set(buffer, result.slot);
  }

  slotOf(buffer: number): Slot {
    const slot = this.slots.get(buffer);
    if (!slot) throw new InternalError(`buffer ${buffer} is not made by the setup`);
    return slot;
  }

  /** Where the steps of the setup are, once they are loaded. */
  load(runner: Runner, program: Program, addresses: Parameters<Runner["load"]>[1]): void {
    const { setup } = program;
    if (setup) this.loaded = runner.load({ ...program, steps: setup.steps, checks: [], work: setup.work }, addresses);
  }

  /** Makes the results anew where a variable has another content than they were made of. The variables lie in their slots. */
  refresh(): void {
    if (areAt(this.sources, this.seen)) return;
    // Another program may have made them.
    if (!this.uses.every(({ result, sources }) => areAt(sources, result.madeOf))) this.make();
    this.seen = versionsOf(this.sources);
  }

  private make(): void {
    for (const { result } of this.uses) result.madeOf = undefined;
    this.loaded!.run();
    for (const { result, sources } of this.uses) result.madeOf = versionsOf(sources);
  }

  dispose(): void {
    this.loaded?.dispose();
    this.loaded = undefined;
    const results = resultsIn(this.heap);
    for (const { content, result } of this.uses.splice(0)) {
      if (--result.users > 0) continue;
      results.byContent.delete(content);
      results.bytes -= result.slot.length * bytesOf(result.slot.dtype);
      result.slot.free();
    }
  }
}

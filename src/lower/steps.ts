/** Calls become steps: small ones in sections for one thread, barriers where a call needs what another does. */
import type { Buffer, Code, Step } from "../kernel/program.ts";
import type { Life } from "./memory.ts";
import type { LoweredCall } from "./target.ts";

/** `from`: the step of the schedule that it comes from. */
export type Call<M> = LoweredCall<M> & { readonly label: string; readonly from: number };

/** Calls with less work than this run on one thread, one after another, without barriers between them. */
const SMALL = 4000;

type Touching = Pick<LoweredCall, "reads" | "writes">;

/** What calls have touched since the last barrier. */
class Touched {
  readonly read = new Set<number>();
  readonly written = new Set<number>();

  add(call: Touching): void {
    for (const b of call.reads) this.read.add(b);
    for (const b of call.writes) this.written.add(b);
  }

  addAll(other: Touched): void {
    for (const b of other.read) this.read.add(b);
    for (const b of other.written) this.written.add(b);
  }

  clashes(call: Touching): boolean {
    return call.reads.some((b) => this.written.has(b)) || call.writes.some((b) => this.written.has(b) || this.read.has(b));
  }
}

interface Section {
  readonly steps: Step[];
  readonly touched: Touched;
}

/**
 * Steps, the life of each scratch buffer in phases between barriers, and scalar operations in all.
 *
 * @param codes distinct codes by number: new ones come behind those that are there
 */
export function linkSteps<M>(
  calls: readonly (Call<M> | "commit")[],
  buffers: readonly Buffer[],
  codes: Code<M>[],
): { steps: Step[]; lives: Life[]; work: number } {
  const numbers = new Map(codes.map(({ key }, i) => [key, i]));
  const lives = new Map<number, Life>();
  const steps: Step[] = [];
  let touched = new Touched();
  let section: Section | undefined;
  let phase = 0;
  let work = 0;
  const barrier = (step: Step): void => {
    steps.push(step);
    touched = new Touched();
    section = undefined;
    phase++;
  };
  const closeSection = (): void => {
    if (section) touched.addAll(section.touched);
    section = undefined;
  };
  const live = (b: number): void => {
    const buffer = buffers[b]!;
    if (buffer.place !== "scratch") return;
    const life = lives.get(b);
    if (life) life.last = phase;
    else lives.set(b, { buffer, first: phase, last: phase });
  };
  for (const call of calls) {
    if (call === "commit") {
      closeSection();
      barrier({ do: "commit" });
      continue;
    }
    work += call.work;
    let code = numbers.get(call.code.key);
    if (code === undefined) {
      code = codes.push(call.code) - 1;
      numbers.set(call.code.key, code);
    }
    const step: Step = { do: "call", code, arguments: call.arguments, blocks: call.blocks, label: call.label, from: call.from };
    if (call.blocks === 1 && call.work < SMALL) {
      // Within a section all runs in order; only what ran beside it matters.
      if (touched.clashes(call)) {
        closeSection();
        barrier({ do: "barrier" });
      }
      if (!section) {
        section = { steps: [], touched: new Touched() };
        steps.push({ do: "section", steps: section.steps });
      }
      section.steps.push(step);
      section.touched.add(call);
    } else {
      closeSection();
      if (touched.clashes(call)) barrier({ do: "barrier" });
      steps.push(step);
      touched.add(call);
    }
    for (const b of call.reads) live(b);
    for (const b of call.writes) live(b);
  }
  return { steps, lives: [...lives.values()], work };
}

/** Runs graphs on a device without the tensor surface: what schedules and targets are tested with. */
import { type TypedArray, viewOf } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { reapply, type Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import type { Program } from "../../src/kernel/program.ts";
import { lower } from "../../src/lower/index.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import type { LoadedProgram, Runner, Status } from "../../src/runtime/runner.ts";
import { type Assignment, type Scheduled, schedule } from "../../src/schedule/index.ts";
import type { Order } from "../../src/schedule/layout.ts";

/** What tests need of a runner; `M` is what the code of its kernels consists of. */
export interface GraphRunner<M = any> extends Pick<Runner<M>, "target" | "heap" | "close"> {
  load(...args: Parameters<Runner<M>["load"]>): Pick<LoadedProgram, "run" | "dispose">;
}

export interface RunOptions {
  readonly optimize?: 0 | 1;
  readonly assignments?: readonly Assignment[];
  readonly guards?: readonly { value: Value; label: string }[];
  readonly threads?: "one" | "all";
  /** Every value is stored, and lies in this order of its axes if nothing needs it row-major; copies stand for arguments and before results. */
  readonly order?: ((v: Value) => Order | undefined) | undefined;
}

export interface Loaded {
  readonly scheduled: Scheduled;
  readonly program: Program;
  /** Writes arguments by index and variables by cell. */
  set(which: number | object, data: ArrayLike<number>): void;
  variable(cell: object): number[];
  run(): Status;
  outputs(): number[][];
  dispose(): void;
}

export function loadGraph(device: GraphRunner, outputs: readonly Value[], options: RunOptions = {}): Loaded {
  const { assignments = [], guards = [], optimize = 1, order } = options;
  const better = optimise([...outputs, ...assignments.map((a) => a.value), ...guards.map((g) => g.value)], { level: optimize });
  const all = order ? betweenCopies(better) : better;
  const n = outputs.length;
  const scheduled = schedule({
    outputs: all.slice(0, n),
    assignments: assignments.map((a, i) => ({ cell: a.cell, value: all[n + i]! })),
    guards: guards.map((g, i) => ({ label: g.label, value: all[n + assignments.length + i]! })),
    optimize,
    order,
  });
  const program = lower(scheduled, device.target, { reuse: optimize > 0 });
  const addresses = program.buffers.map((b) => (b.place === "scratch" ? 0 : device.heap.allocate(b.bytes)));
  const view = (b: number): TypedArray => {
    const { dtype, bytes } = program.buffers[b]!;
    return viewOf(
      dtype,
      device.heap.memory.buffer,
      addresses[b]!,
      bytes / (dtype === "float64" ? 8 : dtype === "bool" || dtype === "uint8" ? 1 : 4),
    );
  };
  for (const c of scheduled.constants) view(c.buffer).set(c.data as never);
  const loaded = device.load(program, (b) => addresses[b.id]!, { threads: options.threads });
  return {
    scheduled,
    program,
    set(which, data) {
      const slot =
        typeof which === "number" ? scheduled.arguments.find((a) => a.index === which) : scheduled.variables.find((v) => v.cell === which);
      if (slot) view(slot.buffer).set(data as never);
    },
    variable: (cell) => [...view(scheduled.variables.find((v) => v.cell === cell)!.buffer)],
    run: () => loaded.run(),
    outputs: () => scheduled.outputs.map((b, i) => [...view(b)].slice(0, sizeOf(outputs[i]!.shape))),
    dispose() {
      loaded.dispose();
      addresses.forEach((a) => a && device.heap.free(a));
    },
  };
}

/** The same values, computed from copies of what goes in, and copied before they go out. */
function betweenCopies(outputs: readonly Value[]): Value[] {
  const copied = (v: Value): Value =>
    v.dtype === "bool" ? o.logicalOr(v, v) : v.dtype === "uint8" ? o.cast(o.cast(v, "int32"), "uint8") : o.mul(v, o.scalarLike(v, 1));
  const made = new Map<Value, Value>();
  for (const v of topological(outputs)) {
    const inputs = v.inputs.map((x) => made.get(x)!);
    made.set(v, v.op.kind === "leaf" ? (v.op.source === "argument" ? copied(v) : v) : reapply(v, inputs));
  }
  return outputs.map((v) => copied(made.get(v)!));
}

export function runGraph(
  device: GraphRunner,
  outputs: readonly Value[],
  args: readonly ArrayLike<number>[] = [],
  options: RunOptions = {},
): number[][] {
  const loaded = loadGraph(device, outputs, options);
  try {
    args.forEach((data, i) => loaded.set(i, data));
    const status = loaded.run();
    if (!status.ok) throw new Error(`run failed: ${JSON.stringify(status)}`);
    return loaded.outputs();
  } finally {
    loaded.dispose();
  }
}

/**
 * The stepper for WebAssembly: walks the table that `link.ts` lays out, calling kernels through the table of functions. All
 * threads walk the same steps; blocks are shared out by counters, and barriers keep the threads together.
 */
import {atomic, 
  type Bytes, block, branch, branchIf, branchTable, call, callIndirect, drop, type FunctionWriter, giveBack, i32, i64, local, loop, ModuleWriter, TYPE, unreachable, when,
} from "../render/wasm-encoder.ts"; // biome-ignore format: two lines
import { MAXIMUM_DEPTH, RECORD_WORDS } from "./link.ts";

/**
 * Cells of the control block, in bytes from its start; those that different threads write stand in different cache lines.
 * Counters: 64 bits for each thread: high word the call they count for, low word how many of the thread's blocks are taken.
 */
export const CONTROL = {
  /** Changes with every command, whose kind its two low bits are: see `COMMAND`. */
  sequence: 0,
  /** Step table of the program to run. */
  table: 8,
  /** Number of the last call; the next run counts on from here. */
  epoch: 12,
  /** Messages posted to each worker so far, and those handled by all together. */
  posted: 16,
  /** Waits of 100 ms in which nothing moved, after which a thread is taken for dead. */
  patience: 20,
  handled: 64,
  arrived: 128,
  generation: 192,
  aborted: 196,
  sleepers: 200,
  /** Whether a check had failed at the last commit. */
  verdict: 204,
  /** Length of a trap's message and its UTF-8 bytes. */
  messageLength: 260,
  message: 264,
  counters: 512,
  /** In a thread's counter line: the number the system gives the thread, 0 where that is unknown. */
  systemThread: 8,
} as const;
export const MESSAGE_BYTES = CONTROL.counters - CONTROL.message;
export const controlBytes = (threads: number): number => CONTROL.counters + 64 * threads;

/** `messages`: some were posted. */
export const COMMAND = { kinds: 3, run: 1, messages: 2, next: 4 } as const;
export const OUTCOME = { finished: 0, stopped: 1, aborted: 2 } as const;

/** Turns of a spinning wait before a thread sleeps: about 50 µs, what waking it costs. */
const SPINS = 20_000;
const SLEEP_NANOSECONDS = 100_000_000;

export interface Stepper {
  /** Walks a table as one of `threads` threads; gives an outcome. */
  readonly run: (table: number, control: number, thread: number, threads: number) => number;
  /** Waits until the command sequence is not `seen` any more, and gives it. */
  readonly idle: (control: number, seen: number) => number;
}

/**
 * The stepper's module: it imports "env" "memory" and "table" and exports `run` and `idle`. Unshared memory: one thread, no `idle`.
 * Shared memory: it imports "env" "deserted" too, asked ten times a second by a thread that waits for others: whether one of them is dead.
 */
export function renderStepper(shared: boolean): Uint8Array<ArrayBuffer> {
  const deserted = { name: "deserted", parameters: [], results: [TYPE.i32] };
  const module = new ModuleWriter({ memory: { shared }, table: true, functions: shared ? [deserted] : [] });
  const kernel = module.type([TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32]);
  const run = module.function([TYPE.i32, TYPE.i32, TYPE.i32, TYPE.i32], [TYPE.i32], "run");
  const functions: Functions = {
    moved: writeMoved(module),
    alone: writeAlone(module, kernel),
    failed: writeFailed(module),
    ...(shared ? { together: writeTogether(module, kernel) } : {}),
  };
  const barrier = shared ? writeBarrier(module, functions.failed) : undefined;
  writeRun(run, barrier === undefined ? functions : { ...functions, barrier });
  if (shared) writeIdle(module);
  return module.bytes();
}

/** Indices of the stepper's functions; without threads there are no shared calls and no barriers. */
interface Functions {
  readonly moved: number;
  readonly alone: number;
  readonly failed: number;
  readonly together?: number;
  readonly barrier?: number;
}

/** The imported function. */
const DESERTED = 0;

const get = local.get;
const one = i32.const(1);
const field = (record: number, word: number): Bytes => i32.load(get(record), 4 * word);
const step = (variable: number, by: Bytes = one): Bytes => local.set(variable, i32.add(get(variable), by));
/** do { body } while (condition) */
const doWhile = (condition: Bytes, ...body: Bytes[]): Bytes => loop(body, branchIf(0, condition));

/** A branch for each number: after its code, `loop` outside goes on. */
function cases(index: Bytes, bodies: readonly Bytes[]): Bytes {
  let code: Bytes = branchTable(index, [...bodies.keys()], 0);
  bodies.forEach((body, i) => {
    code = [block(code), body, branch(bodies.length - 1 - i)];
  });
  return loop(code);
}

function writeRun(run: FunctionWriter, { moved, alone, together, failed, barrier }: Functions): void {
  const [table, control, thread, threads] = [0, 1, 2, 3];
  const [record, mine, epoch, words, solo, turns, turn] = Array.from({ length: 7 }, () => run.local(TYPE.i32)) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const size = RECORD_WORDS * 4;
  const jump = (to: Bytes): Bytes => local.set(record, i32.add(i32.load(get(table)), i32.mul(to, i32.const(size))));
  const next = step(record, i32.const(size));
  const leave = (outcome: number): Bytes => [
    when(i32.eqz(get(thread)), i32.store(get(control), get(epoch), CONTROL.epoch)),
    giveBack(i32.const(outcome)),
  ];
  const meet = (header: Bytes): Bytes =>
    barrier === undefined ? [] : when(i32.eqz(get(solo)), when(call(barrier, get(control), get(threads), header), leave(OUTCOME.aborted)));
  const shareOut =
    together === undefined
      ? []
      : [step(epoch), call(together, get(record), get(words), get(thread), get(threads), get(epoch), get(control))];
  const turnCell = i32.add(get(mine), i32.shl(field(record, 4), i32.const(2)));
  const stop = when(
    i32.gtS(get(threads), one),
    when(i32.load(get(control), CONTROL.verdict), leave(OUTCOME.stopped)),
    when(call(failed, get(table)), leave(OUTCOME.stopped)),
  );
  const bodies: Bytes[] = [
    [meet(i32.const(0)), leave(OUTCOME.finished)],
    [
      local.set(words, call(moved, get(record), get(mine))),
      when(get(solo), call(alone, get(record), get(words), get(thread)), shareOut),
      next,
    ],
    [when(get(thread), jump(field(record, 1)), [local.set(solo, one), next])],
    [local.set(solo, i32.eq(get(threads), one)), next],
    [
      local.set(turns, field(record, 1)),
      i32.store(turnCell, i32.mul(field(record, 2), i32.sub(get(turns), one))),
      when(get(turns), next, jump(field(record, 3))),
    ],
    [
      local.set(turn, i32.add(i32.load(turnCell), i32.sub(one, i32.shl(field(record, 2), one)))),
      i32.store(turnCell, get(turn)),
      // Going down ends below 0, which is above any number of turns when read as unsigned.
      when(i32.ltU(get(turn), field(record, 1)), jump(field(record, 3)), next),
    ],
    [meet(i32.const(0)), next],
    [meet(get(table)), stop, next],
  ];
  run.emit(
    local.set(record, i32.load(get(table))),
    local.set(mine, i32.add(i32.load(get(table), 12), i32.mul(get(thread), i32.load(get(table), 16)))),
    local.set(epoch, i32.load(get(control), CONTROL.epoch)),
    local.set(solo, i32.eq(get(threads), one)),
    cases(i32.load(get(record)), bodies),
    unreachable,
  );
}

/** (record, thread block) → address of the argument block a kernel is to see. */
function writeMoved(module: ModuleWriter): number {
  const f = module.function([TYPE.i32, TYPE.i32], [TYPE.i32]);
  const [record, mine] = [0, 1];
  const [i, row, sum, move, to] = Array.from({ length: 5 }, () => f.local(TYPE.i32)) as [number, number, number, number, number];
  const bytes = i32.shl(field(record, 3), i32.const(2));
  f.emit(
    when(i32.eqz(field(record, 5)), giveBack(field(record, 2))),
    local.set(to, i32.add(get(mine), i32.const(4 * MAXIMUM_DEPTH))),
    loop(
      local.set(sum, i32.load(i32.add(field(record, 2), get(i)))),
      local.set(move, i32.add(field(record, 5), get(i))),
      local.set(row, i32.const(0)),
      doWhile(
        i32.ltS(get(row), field(record, 6)),
        step(sum, i32.mul(i32.load(get(move)), i32.load(i32.add(get(mine), i32.shl(i32.sub(field(record, 7), get(row)), i32.const(2)))))),
        step(move, bytes),
        step(row),
      ),
      i32.store(i32.add(get(to), get(i)), get(sum)),
      step(i, i32.const(4)),
      branchIf(0, i32.ltS(get(i), bytes)),
    ),
    get(to),
  );
  return f.index;
}

/** (record, arguments, thread): all blocks, in order. */
function writeAlone(module: ModuleWriter, kernel: number): number {
  const f = module.function([TYPE.i32, TYPE.i32, TYPE.i32]);
  const [record, words, thread] = [0, 1, 2];
  const b = f.local(TYPE.i32);
  const blocks = f.local(TYPE.i32);
  f.emit(
    local.set(blocks, field(record, 4)),
    when(
      get(blocks),
      doWhile(
        i32.ltS(local.tee(b, i32.add(get(b), one)), get(blocks)),
        callIndirect(kernel, field(record, 1), get(words), get(b), i32.add(get(b), one), get(thread)),
      ),
    ),
  );
  return f.index;
}

/**
 * (record, arguments, thread, threads, epoch, control): takes blocks until none is left. Thread t's own are ⌈t·B/T⌉ … ⌈(t+1)·B/T⌉ − 1;
 * having done those, it takes from the threads behind it. A counter that stands at an earlier call means that nothing is taken yet, one at a later call
 * that all is: so nobody has to reset it.
 */
function writeTogether(module: ModuleWriter, kernel: number): number {
  const f = module.function(Array.from({ length: 6 }, () => TYPE.i32));
  const [record, words, thread, threads, epoch, control] = [0, 1, 2, 3, 4, 5];
  const [offset, victim, first, count, counter, taken, calledFor] = Array.from({ length: 7 }, () => f.local(TYPE.i32)) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const seen = f.local(TYPE.i64);
  const start = (of: Bytes): Bytes => i32.divU(i32.add(i32.mul(of, field(record, 4)), i32.sub(get(threads), one)), get(threads));
  const claimed = i64.or(i64.shl(i64.extend(get(epoch)), i64.const(32)), i64.extend(i32.add(get(taken), one)));
  const take = loop(
    local.set(seen, i64.atomicLoad(get(counter))),
    local.set(calledFor, i32.wrap(i64.shrU(get(seen), i64.const(32)))),
    branchIf(1, i32.ltU(get(epoch), get(calledFor))),
    local.set(taken, i32.mul(i32.wrap(get(seen)), i32.eq(get(calledFor), get(epoch)))),
    branchIf(1, i32.geU(get(taken), get(count))),
    branchIf(0, i64.ne(i64.atomicExchange(get(counter), get(seen), claimed), get(seen))),
    local.set(taken, i32.add(get(first), get(taken))),
    callIndirect(kernel, field(record, 1), get(words), get(taken), i32.add(get(taken), one), get(thread)),
    branch(0),
  );
  f.emit(
    doWhile(
      i32.ltU(get(offset), get(threads)),
      local.set(victim, i32.remU(i32.add(get(thread), get(offset)), get(threads))),
      local.set(first, start(get(victim))),
      local.set(count, i32.sub(start(i32.add(get(victim), one)), get(first))),
      local.set(counter, i32.add(i32.add(get(control), i32.const(CONTROL.counters)), i32.shl(get(victim), i32.const(6)))),
      block(take),
      step(offset),
    ),
  );
  return f.index;
}

/** (header) → 1 if any check cell is not all ones. */
function writeFailed(module: ModuleWriter): number {
  const f = module.function([TYPE.i32], [TYPE.i32]);
  const cell = f.local(TYPE.i32);
  const end = f.local(TYPE.i32);
  f.emit(
    local.set(cell, i32.load(get(0), 4)),
    local.set(end, i32.add(get(cell), i32.shl(i32.load(get(0), 8), i32.const(3)))),
    when(
      i32.ltU(get(cell), get(end)),
      doWhile(i32.ltU(get(cell), get(end)), when(i64.ne(i64.load(get(cell)), i64.const(-1)), giveBack(one)), step(cell, i32.const(8))),
    ),
    i32.const(0),
  );
  return f.index;
}

/**
 * (control, threads, header) → whether the run is aborted. The last to arrive looks at the checks (if `header` is not 0), so that all threads
 * read the same verdict, and lets the others go. They spin, then sleep; if nothing moves for too long, a thread has died.
 */
function writeBarrier(module: ModuleWriter, failed: number): number {
  const stuck = writeStuck(module);
  const f = module.function([TYPE.i32, TYPE.i32, TYPE.i32], [TYPE.i32]);
  const [control, threads, header] = [0, 1, 2];
  const [generation, spins] = [f.local(TYPE.i32), f.local(TYPE.i32)];
  const cell = (offset: number): Bytes => i32.atomicLoad(get(control), offset);
  const wakeAll = drop(atomic.notify(get(control), i32.const(0x7fffffff), CONTROL.generation));
  const release = [
    i32.atomicStore(get(control), i32.const(0), CONTROL.arrived),
    when(get(header), i32.store(get(control), call(failed, get(header)), CONTROL.verdict)),
    drop(i32.atomicAdd(get(control), one, CONTROL.generation)),
    when(cell(CONTROL.sleepers), wakeAll),
  ];
  const released = i32.ne(cell(CONTROL.generation), get(generation));
  const wait = [
    local.set(spins, i32.const(SPINS)),
    loop(branchIf(1, released), branchIf(1, cell(CONTROL.aborted)), branchIf(0, local.tee(spins, i32.sub(get(spins), one)))),
    call(stuck, get(control), get(threads), get(generation)),
  ];
  f.emit(
    local.set(generation, cell(CONTROL.generation)),
    when(i32.eq(i32.add(i32.atomicAdd(get(control), one, CONTROL.arrived), one), get(threads)), release, wait),
    cell(CONTROL.aborted),
  );
  return f.index;
}

/**
 * (control, threads, generation): sleeps until the generation changes or the run is aborted; aborts it when another thread is known to be dead,
 * or after too many sleeps in which no counter moved.
 */
function writeStuck(module: ModuleWriter): number {
  const f = module.function([TYPE.i32, TYPE.i32, TYPE.i32]);
  const [control, threads, generation] = [0, 1, 2];
  const [sleeps, before, now, t] = Array.from({ length: 4 }, () => f.local(TYPE.i32)) as [number, number, number, number];
  const cell = (offset: number): Bytes => i32.atomicLoad(get(control), offset);
  const counter = i32.add(i32.add(get(control), i32.const(CONTROL.counters)), i32.shl(get(t), i32.const(6)));
  const progress = [
    local.set(now, cell(CONTROL.arrived)),
    local.set(t, i32.const(0)),
    doWhile(
      i32.ltU(get(t), get(threads)),
      local.set(now, i32.add(i32.mul(get(now), i32.const(31)), i32.add(i32.atomicLoad(counter), i32.atomicLoad(counter, 4)))),
      step(t),
    ),
  ];
  const giveUp = [
    i32.atomicStore(get(control), one, CONTROL.aborted),
    drop(atomic.notify(get(control), i32.const(0x7fffffff), CONTROL.generation)),
  ];
  const wait = loop(
    branchIf(1, i32.ne(cell(CONTROL.generation), get(generation))),
    branchIf(1, cell(CONTROL.aborted)),
    drop(atomic.wait32(get(control), get(generation), i64.const(SLEEP_NANOSECONDS), CONTROL.generation)),
    progress,
    local.set(sleeps, i32.mul(i32.add(get(sleeps), one), i32.eq(get(now), get(before)))),
    local.set(before, get(now)),
    when(i32.or(call(DESERTED), i32.ltU(i32.load(get(control), CONTROL.patience), get(sleeps))), giveUp),
    branch(0),
  );
  f.emit(
    drop(i32.atomicAdd(get(control), one, CONTROL.sleepers)),
    block(wait),
    drop(i32.atomicAdd(get(control), i32.const(-1), CONTROL.sleepers)),
  );
  return f.index;
}

function writeIdle(module: ModuleWriter): void {
  const f = module.function([TYPE.i32, TYPE.i32], [TYPE.i32], "idle");
  const [control, seen] = [0, 1];
  const spins = f.local(TYPE.i32);
  const sequence = i32.atomicLoad(get(control), CONTROL.sequence);
  const changed = i32.ne(sequence, get(seen));
  f.emit(
    local.set(spins, i32.const(SPINS)),
    block(
      loop(branchIf(1, changed), branchIf(0, local.tee(spins, i32.sub(get(spins), one)))),
      loop(branchIf(1, changed), drop(atomic.wait32(get(control), get(seen), i64.const(-1), CONTROL.sequence)), branch(0)),
    ),
    sequence,
  );
}

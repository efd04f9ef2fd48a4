/** The program of a worker, as text: so that it needs no file, neither from the sources, nor from a package, nor in a browser. */
import { COMMAND, CONTROL, MESSAGE_BYTES } from "./wasm-stepper.ts";

/** The first message a worker gets. */
export interface StartMessage {
  readonly start: {
    readonly memory: WebAssembly.Memory;
    readonly stepper: WebAssembly.Module;
    readonly control: number;
    readonly thread: number;
    readonly threads: number;
  };
}

/** Kernels that take the places from `first` on in the table of functions. */
export interface KernelsMessage {
  readonly kernels: { readonly module: WebAssembly.Module; readonly names: readonly string[]; readonly first: number };
}

export type WorkerMessage = StartMessage | KernelsMessage;

/**
 * A worker waits for commands inside the stepper, where no message reaches it. It goes back to the event loop whenever more messages were
 * posted than it has handled. A trap is written down for the others, who then stop at their next barrier. By the number of its system thread the
 * device sees that a worker is gone while its own thread waits, when no event can tell it.
 */
export const WORKER_SOURCE = `"use strict";
const C = ${JSON.stringify(CONTROL)};
const node = typeof require === "function" ? require("node:worker_threads").parentPort : undefined;
let me, cells, stepper, table, memory, handled = 0, seen = 0;
const cell = (offset) => offset >> 2;

function start(message) {
  me = message;
  memory = me.memory;
  cells = new Int32Array(memory.buffer, me.control, ${CONTROL.counters >> 2});
  table = new WebAssembly.Table({ initial: 64, element: "anyfunc" });
  stepper = new WebAssembly.Instance(me.stepper, { env: { memory, table, deserted: () => 0 } }).exports;
  new Int32Array(memory.buffer, me.control + C.counters + 64 * me.thread)[cell(C.systemThread)] = systemThread();
}

function systemThread() {
  try {
    return Number(require("node:fs").readlinkSync("/proc/thread-self").split("/").pop()) || 0;
  } catch {
    return 0;
  }
}

function addKernels({ module, names, first }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  while (table.length < first + names.length) table.grow(table.length);
  names.forEach((name, i) => table.set(first + i, exports[name]));
}

function trapped(error) {
  const text = new TextEncoder().encode(String(error && error.message || error)).slice(0, ${MESSAGE_BYTES});
  new Uint8Array(memory.buffer, me.control + C.message, text.length).set(text);
  cells[cell(C.messageLength)] = text.length;
  Atomics.store(cells, cell(C.aborted), 1);
  Atomics.notify(cells, cell(C.generation));
}

function run() {
  try {
    stepper.run(cells[cell(C.table)], me.control, me.thread, me.threads);
  } catch (error) {
    trapped(error);
  }
}

function obey() {
  while (handled === Atomics.load(cells, cell(C.posted))) {
    seen = stepper.idle(me.control, seen);
    const kind = seen & ${COMMAND.kinds};
    if (kind !== ${COMMAND.messages}) run();
  }
}

function receive(message) {
  if (message.start) start(message.start);
  else addKernels(message.kernels);
  handled++;
  Atomics.add(cells, cell(C.handled), 1);
  Atomics.notify(cells, cell(C.handled));
  obey();
}

if (node) node.on("message", receive);
else self.onmessage = (event) => receive(event.data);
`;

/** Prints loop IR as a WebAssembly module with 16-byte vectors. Nothing is moved or shared here but constants. */
import { InternalError } from "../core/errors.ts";
import type { LoopFunction, LoopModule, Statement } from "../kernel/loop.ts";
import type { Code } from "../kernel/program.ts";
import { type Bytes, branchIf, call, type FunctionWriter, i32, local, loop, ModuleWriter, TYPE, when } from "./wasm-encoder.ts";
import { printReport, printStore, writePartial, writeReport } from "./wasm-memory.ts";
import { Scope, type Support } from "./wasm-scope.ts";
import { printVec, writeDivide } from "./wasm-vector.ts";

export interface WasmOptions {
  /** Whether the fused multiply-add and other relaxed SIMD instructions may be used. */
  readonly relaxed: boolean;
  /** Whether the memory is shared between threads. */
  readonly shared: boolean;
}

/** The name under which a module exports the entry of code `index`. */
export const entryName = (index: number): string => `entry${index}`;

/**
 * One module for several codes, each exported as `entryName(i)`: (arguments, begin, end, thread) → (). It imports "env" "memory".
 * `argument` words are read through the parameter named as the entry's first one, in helpers too.
 */
export function renderWasm(codes: readonly Code[], options: WasmOptions): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter({ memory: { shared: options.shared } });
  const support = supportOf(module, options.shared);
  codes.forEach((code, i) => {
    addCode(module, code.module, entryName(i), options, support);
  });
  return module.bytes();
}

function addCode(module: ModuleWriter, code: LoopModule, name: string, { relaxed }: WasmOptions, support: Support): void {
  const { lanes, helpers, entry } = code;
  if (lanes !== 1 && lanes !== 2 && lanes !== 4) throw new InternalError(`wasm: no vector has ${lanes} lanes`);
  const functions = new Map<string, number>();
  const argumentBlock = entry.parameters[0]?.name ?? "";
  const add = (f: LoopFunction, exportAs?: string): void => {
    const writer = module.function(f.parameters.map(() => TYPE.i32), [], exportAs); // biome-ignore format: one call
    functions.set(f.name, writer.index);
    const scope = new Scope({ writer, parameters: f.parameters, lanes, relaxed, support, functions, argumentBlock, printVec });
    const body = printAll(scope, f.body);
    writer.emit(scope.prelude(), body);
  };
  for (const helper of helpers) add(helper);
  add(entry, name);
}

function supportOf(module: ModuleWriter, shared: boolean): Support {
  const known = new Map<string, number>();
  const once = (key: string, make: () => FunctionWriter): number => {
    const index = known.get(key) ?? make().index;
    known.set(key, index);
    return index;
  };
  const write = (writer: FunctionWriter, body: (writer: FunctionWriter) => void): FunctionWriter => {
    body(writer);
    return writer;
  };
  return {
    partial: (bytes) =>
      once(`partial ${bytes}`, () => write(module.function([TYPE.i32, TYPE.v128, TYPE.i32]), (writer) => writePartial(writer, bytes))),
    divide: (op, isSigned) =>
      once(`${op} ${isSigned}`, () =>
        write(module.function([TYPE.i32, TYPE.i32], [TYPE.i32]), (writer) => writeDivide(writer, op, isSigned)),
      ),
    report: () => once("report", () => write(module.function([TYPE.i32, TYPE.i64]), (writer) => writeReport(writer, shared))),
  };
}

const printAll = (scope: Scope, statements: readonly Statement[]): Bytes =>
  statements.map((s) => scope.during(() => printStatement(scope, s)));

function printStatement(scope: Scope, s: Statement): Bytes {
  switch (s.do) {
    case "int":
      return local.set(scope.index(s.local), scope.int(s.value));
    case "vec":
      return local.set(scope.index(s.local), scope.vec(s.value));
    case "store":
      return printStore(scope, s);
    case "word": {
      const { base, offset } = scope.address(s.at);
      return i32.store(base, scope.int(s.value), offset);
    }
    case "for":
      return printFor(scope, s);
    case "if":
      return when(scope.int(s.test), printAll(scope, s.then), s.else && printAll(scope, s.else));
    case "call":
      return call(functionIndex(scope, s.name), ...s.arguments.map((x) => scope.int(x)));
    case "report":
      return printReport(scope, s);
  }
}

/** With the test at the bottom: one branch per turn. `to` and `step` are computed once. */
function printFor(scope: Scope, { local: counter, from, to, step, body }: Extract<Statement, { do: "for" }>): Bytes {
  const index = scope.index(counter);
  const limit = scope.keepInt(to);
  const stride = scope.keepInt(step);
  const next = local.tee(index, i32.add(local.get(index), stride.get));
  const turns = loop(printAll(scope, body), branchIf(0, i32.ltS(next, limit.get)));
  const first = [local.set(index, scope.int(from)), limit.first, stride.first];
  if (typeof from === "number" && typeof to === "number") return from < to ? [first, turns] : [];
  return [first, when(i32.ltS(local.get(index), limit.get), turns)];
}

function functionIndex(scope: Scope, name: string): number {
  const index = scope.functions.get(name);
  if (index === undefined) throw new InternalError(`wasm: helper "${name}" is called but does not stand before its caller`);
  return index;
}

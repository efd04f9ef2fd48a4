/** The devices of this process: one heap, one WASM device, one native device where there is a C compiler. */
import { ArgumentError, DeviceError, GraphError } from "../core/errors.ts";
import { environment } from "../core/host.ts";
import { checkOptions } from "../core/options.ts";
import { takeSite } from "../core/site.ts";
import { warnOnce } from "../core/warn.ts";
import { Heap } from "../runtime/heap.ts";
import { openNative } from "../runtime/native.ts";
import type { OpenedNative, Runner } from "../runtime/runner.ts";
import { WasmRunner } from "../runtime/wasm-runner.ts";

/** What programs run on, by name. */
export type Device = "auto" | "wasm" | "native" | "interpreter";

export interface EngineOptions {
  /** "auto": native for compiled functions where a C compiler is found, else wasm. Default, or `GRADUS_DEVICE`. */
  readonly device?: Device;
  /** Default: as many as there are cores, or `GRADUS_THREADS`. */
  readonly threads?: number;
}

let given: EngineOptions | undefined;
let started = false;
let heap: Heap | undefined;
const runners = new Map<string, Runner>();
/** Why there is no native device, once that is known. */
let missing: Exclude<OpenedNative, { runner: unknown }> | undefined;
/** Why "auto" has given native code up: a program that could not be compiled. */
let abandoned: DeviceError | undefined;

/**
 * Sets the defaults of this process, before the first program runs.
 *
 * @throws GraphError afterwards: a run stays on one device
 * @example
 * configure({ device: "wasm", threads: 1 });
 */
export function configure(options: EngineOptions): void {
  if (started)
    throw new GraphError("configure: a program has run already", {
      why: "one process stays on one device",
      help: "call it first, or use compile(f, { device })",
    });
  checkOptions("configure", options, ["device", "threads"], takeSite);
  given = checked({ ...chosen(), ...options }, "configure");
}

/** The environment is asked when somebody needs to know: loading asks for no permission. */
const chosen = (): EngineOptions => (given ??= fromEnvironment());

/** @throws ArgumentError for a device or a number of threads that does not exist */
export function checked(options: EngineOptions, from = "configure", names = { device: "device", threads: "threads" }): EngineOptions {
  const { device, threads } = options;
  if (device !== undefined && !["auto", "wasm", "native", "interpreter"].includes(device))
    throw new ArgumentError(`${from}: ${names.device} is ${JSON.stringify(device)}, which is no device`, {
      help: "auto, wasm, native or interpreter",
    });
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1))
    throw new ArgumentError(`${from}: ${names.threads} is ${String(threads)}, which is no number of threads`, {
      help: "a whole number ≥ 1",
    });
  return options;
}

function fromEnvironment(): EngineOptions {
  const [device, threads] = [environment("GRADUS_DEVICE"), environment("GRADUS_THREADS")];
  const options = { ...(device && { device: device as Device }), ...(threads && { threads: Number(threads) }) };
  return checked(options, "environment", { device: "GRADUS_DEVICE", threads: "GRADUS_THREADS" });
}

export const theHeap = (): Heap => (heap ??= new Heap());

/** What the process runs compiled functions on unless they say otherwise. */
export function defaultDevice(): Device {
  return chosen().device ?? "auto";
}

/** The device of this name with this many threads; "auto" chooses. Starting it ends the time for `configure`. */
export function runnerFor(device: Exclude<Device, "interpreter">, threads = chosen().threads): Runner {
  started = true;
  if (device === "native" || (device === "auto" && !abandoned)) {
    const native = nativeRunner(threads);
    if (native) return native;
    if (device === "native") throw missing!.error();
    if (!missing!.quiet) warnOfWasm(missing!.error());
  }
  return known(`wasm ${threads ?? ""}`, () => new WasmRunner({ heap: theHeap(), threads }));
}

/**
 * What `make` makes on a device. Where "auto" has chosen native code and this program cannot be compiled, it and all later programs run on wasm,
 * with a warning; programs that were made before stay where they are. So which of them run where depends on the compiler alone, and a
 * training that has begun goes on: both devices share the variables.
 */
export function makeOn<T>(device: Exclude<Device, "interpreter">, threads: number | undefined, make: (runner: Runner) => T): T {
  const runner = runnerFor(device, threads);
  if (device !== "auto" || runner.name !== "native") return make(runner);
  try {
    return make(runner);
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    abandoned = error;
    warnOfWasm(error);
    return make(runnerFor("wasm", threads));
  }
}

function warnOfWasm({ what, why }: DeviceError): void {
  warnOnce("native code", `programs run on WebAssembly, without native code: ${why ? `${what}: ${why}` : what}`);
}

function nativeRunner(threads: number | undefined): Runner | undefined {
  const key = `native ${threads ?? ""}`;
  const ready = runners.get(key);
  if (ready || missing) return ready;
  const opened = openNative(theHeap(), threads);
  if ("reason" in opened) missing = opened;
  else runners.set(key, opened.runner);
  return runners.get(key);
}

function known(key: string, make: () => Runner): Runner {
  const runner = runners.get(key) ?? make();
  runners.set(key, runner);
  return runner;
}

export interface HostDescription {
  /** What was chosen: `configure`, or GRADUS_DEVICE. */
  readonly device: Device;
  /** What has started so far, its threads, and why those are fewer than were asked for. */
  readonly running: readonly { readonly name: "wasm" | "native"; readonly threads: number; readonly note?: string }[];
  /** Why there is no machine code; told once something has looked for a compiler. */
  readonly noNative?: string;
}

/** What programs run on here, and why on nothing better. Starts nothing. */
export function describe(): HostDescription {
  const running = [...runners.values()].map(({ name, threads, note }) => (note ? { name, threads: 1, note } : { name, threads }));
  const noNative = missing?.reason ?? abandoned?.why ?? abandoned?.what;
  return { device: defaultDevice(), running, ...(noNative === undefined ? {} : { noNative }) };
}

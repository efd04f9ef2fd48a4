/** Calls one compiled kernel without a device. */
import type { NativeCompiler } from "../../src/runtime/native-compiler.ts";

export class CallAddon {
  private readonly compiler: NativeCompiler;
  private readonly pool: number;

  constructor(compiler: NativeCompiler) {
    this.compiler = compiler;
    this.pool = compiler.shim.openPool(1);
  }

  /** `kernel(block, begin, end, thread)` over a memory, where `block` is the address of the argument block in it. */
  call(kernel: number, heap: Uint8Array, block: number, [begin, end, thread]: readonly [number, number, number]): void {
    this.compiler.shim.setHeap(this.pool, heap);
    this.compiler.shim.callOnce(this.pool, kernel, block, begin, end, thread);
  }
}

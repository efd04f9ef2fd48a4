/** What the hostile tests share: the devices there are here, and errors as users see them. */
import { type Device, GradusError, type Tensor } from "gradus";
import { expect } from "vitest";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";

const native = nativeAvailable();

/** The interpreter first: the others must do as it does. */
export const DEVICES: readonly Device[] = ["interpreter", "wasm", ...(native.available ? (["native"] as const) : [])];
export const COMPILED = DEVICES.filter((device) => device !== "interpreter");

/** The typed error that `f` throws, at once or when its tensor is read. */
export async function errorOf(f: () => unknown): Promise<GradusError> {
  try {
    const result = (await f()) as Tensor | undefined;
    await result?.data?.();
  } catch (error) {
    expect(error, (error as Error).stack ?? String(error)).toBeInstanceOf(GradusError);
    return error as GradusError;
  }
  throw new Error("nothing was thrown");
}

/** The error of `f`, thrown while the graph is built. */
export function refused(f: () => unknown): GradusError {
  let thrown: unknown;
  try {
    f();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, thrown instanceof Error ? thrown.stack : "nothing was thrown").toBeInstanceOf(GradusError);
  return thrown as GradusError;
}

export const USER_LINE = / {3}at \w[\w-]*\.test\.ts:\d+/;

export const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.data());

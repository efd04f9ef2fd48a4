/**
 * Vectors of every length that the machine has: sizes that are no multiple of any of them.
 *
 * @module-tag slow
 */
import { nativeOf } from "./harness.ts";
import { shapeSuite } from "./shapes.ts";

for (const vectorBytes of [16, 32, 64] as const) shapeSuite(nativeOf(vectorBytes));

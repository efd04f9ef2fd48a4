export * from "./batch.ts";
export * from "./gradcheck.ts";
export * from "./gradients.ts";
export * from "./jacobian.ts";
export { hvp, jvp } from "./jvp.ts";

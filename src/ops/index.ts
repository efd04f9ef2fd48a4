/** Every primitive by its name, and all builders. */

import * as contractions from "./contract.ts";
import * as customs from "./custom.ts";
import * as arithmetic from "./elementwise.ts";
import * as factorisations from "./factorisations.ts";
import * as indexing from "./indexed.ts";
import * as leaves from "./leaf.ts";
import * as logic from "./logic.ts";
import * as maths from "./maths.ts";
import * as moves from "./move.ts";
import * as places from "./place.ts";
import * as reductions from "./reduce.ts";
import * as serial from "./serial.ts";

export * from "./contract.ts";
export * from "./custom.ts";
export * from "./einsum.ts";
export * from "./elementwise.ts";
export * from "./factorisations.ts";
export * from "./indexed.ts";
export * from "./leaf.ts";
export * from "./linear-algebra.ts";
export * from "./logic.ts";
export * from "./maths.ts";
export * from "./move.ts";
export * from "./place.ts";
export * from "./random.ts";
export * from "./reduce.ts";
export * from "./rules.ts";
export * from "./serial.ts";

/** The registry: adding an op means adding it here, and samples of it in test/ops/samples.ts. @internal For tests. */
export const ops = {
  add: arithmetic.addOp,
  sub: arithmetic.subOp,
  mul: arithmetic.mulOp,
  div: arithmetic.divOp,
  neg: arithmetic.negOp,
  abs: arithmetic.absOp,
  sign: arithmetic.signOp,
  relu: arithmetic.reluOp,
  maximum: arithmetic.maximumOp,
  minimum: arithmetic.minimumOp,
  pow: arithmetic.powOp,
  floorDiv: arithmetic.floorDivOp,
  mod: arithmetic.modOp,
  sqrt: maths.sqrtOp,
  exp: maths.expOp,
  expm1: maths.expm1Op,
  log: maths.logOp,
  log1p: maths.log1pOp,
  tanh: maths.tanhOp,
  sigmoid: maths.sigmoidOp,
  erf: maths.erfOp,
  sin: maths.sinOp,
  cos: maths.cosOp,
  floor: maths.floorOp,
  ceil: maths.ceilOp,
  trunc: maths.truncOp,
  round: maths.roundOp,
  eq: logic.eqOp,
  ne: logic.neOp,
  lt: logic.ltOp,
  le: logic.leOp,
  logicalAnd: logic.logicalAndOp,
  logicalOr: logic.logicalOrOp,
  logicalXor: logic.logicalXorOp,
  logicalNot: logic.logicalNotOp,
  shiftRight: logic.shiftRightOp,
  select: logic.selectOp,
  cast: logic.castOp,
  bounded: logic.boundedOp,
  threefry: logic.threefryOp,
  reshape: moves.reshapeOp,
  transpose: moves.transposeOp,
  broadcast: moves.broadcastOp,
  slice: moves.sliceOp,
  windows: moves.windowsOp,
  pad: places.padOp,
  concat: places.concatOp,
  fold: places.foldOp,
  sum: reductions.sumOp,
  product: reductions.productOp,
  max: reductions.maxOp,
  min: reductions.minOp,
  argmax: reductions.argmaxOp,
  argmin: reductions.argminOp,
  contract: contractions.contractOp,
  gather: indexing.gatherOp,
  scatterAdd: indexing.scatterAddOp,
  cumulate: serial.cumulateOp,
  argsort: serial.argsortOp,
  lu: factorisations.luOp,
  cholesky: factorisations.choleskyOp,
  triangularSolve: factorisations.triangularSolveOp,
  custom: customs.customOp,
  constant: leaves.constantOp,
  argument: leaves.argumentOp,
  variable: leaves.variableOp,
  iota: leaves.iotaOp,
};

/**
 * Every op between values that lie with their channels last: what it reads, what it writes, and all that its gradients compute. One place that
 * takes row-major for granted gives wrong numbers here.
 */
import type { Value } from "../../src/graph/op.ts";
import type { Order } from "../../src/schedule/layout.ts";
import { edgeSuite } from "./edges.ts";
import { TARGETS, type TargetCase } from "./harness.ts";
import { shapeSuite } from "./shapes.ts";
import { sampleSuite } from "./suite.ts";

/** The second axis last: channels of images, columns of matrices. */
const channelsLast = ({ shape }: Value): Order => {
  const axes = [...shape.keys()];
  return axes.length < 2 ? axes : axes.length === 2 ? [1, 0] : [0, ...axes.slice(2), 1];
};
/** The other way round. */
const reversed = ({ shape }: Value): Order => [...shape.keys()].reverse();

const lying = (target: TargetCase, how: string, order: (v: Value) => Order): TargetCase => ({
  ...target,
  quick: false,
  levels: [1],
  name: `${target.name}, ${how}`,
  order,
});

sampleSuite(lying(TARGETS.kernels, "axes the other way round", reversed));
edgeSuite(lying(TARGETS.kernels, "axes the other way round", reversed));
for (const target of [TARGETS.kernels, TARGETS.strict]) {
  sampleSuite(lying(target, "channels last", channelsLast));
  shapeSuite(lying(target, "channels last", channelsLast));
}

/** Schedules by themselves, without the loops that targets make of them. */
import { edgeSuite } from "./edges.ts";
import { TARGETS } from "./harness.ts";
import { sampleSuite } from "./suite.ts";

sampleSuite(TARGETS.kernels);
edgeSuite(TARGETS.kernels);

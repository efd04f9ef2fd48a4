import { edgeSuite } from "./edges.ts";
import { TARGETS } from "./harness.ts";
import { shapeSuite } from "./shapes.ts";
import { sampleSuite } from "./suite.ts";
import { sweepSuite } from "./sweep.ts";
import { wideSuite } from "./wide.ts";

sampleSuite(TARGETS.relaxed);
shapeSuite(TARGETS.relaxed);
edgeSuite(TARGETS.relaxed);
sweepSuite(TARGETS.relaxed);
wideSuite(TARGETS.relaxed);

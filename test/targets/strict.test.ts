import { edgeSuite } from "./edges.ts";
import { TARGETS } from "./harness.ts";
import { shapeSuite } from "./shapes.ts";
import { sampleSuite } from "./suite.ts";
import { sweepSuite } from "./sweep.ts";
import { wideSuite } from "./wide.ts";

sampleSuite(TARGETS.strict);
shapeSuite(TARGETS.strict);
edgeSuite(TARGETS.strict);
sweepSuite(TARGETS.strict);
wideSuite(TARGETS.strict);

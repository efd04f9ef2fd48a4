/** The command line from the sources, for tests: `node --import tsx run.ts train iris`. */
import { main } from "../../src/cli/main.ts";

await main(process.argv.slice(2));

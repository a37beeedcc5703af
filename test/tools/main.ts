// The program that is bundled: everyday.ts on the target of the command line.

import { everyday } from "./everyday.ts";

// No await at the top, which CommonJS does not have. A rejection ends the process with 1.
void everyday(process.argv[2] ?? "memory:").then((line) => console.log(line));

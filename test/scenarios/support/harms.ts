// What can happen to one command and its reply on the wire, for the proxy.

import type { Fault } from "../../support/proxy.ts";

export interface Harm {
  readonly name: string;
  readonly fault: Fault;
  /** Another client writes meanwhile. */
  readonly rival: boolean;
  /** What was held back arrives in the end. */
  readonly late: boolean;
}

export const harms: readonly Harm[] = [
  { name: "its reply lost and the connection cut", fault: "lose-reply", rival: false, late: false },
  { name: "it lost and the connection cut", fault: "lose-request", rival: false, late: false },
  {
    name: "its reply lost and another writing before the retry",
    fault: "lose-reply",
    rival: true,
    late: false,
  },
  { name: "its first copy arriving after the retry", fault: "hold-back", rival: false, late: true },
  { name: "its first copy arriving after another's write", fault: "hold-back", rival: true, late: true },
];

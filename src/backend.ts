/** The public API `holdfast/backend`: the types of the contract, for backends of your own. */
export type * from "./backends/contract.ts";

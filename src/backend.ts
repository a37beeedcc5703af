/**
 * The public API `holdfast/backend`: the types of the contract, for backends of your own.
 *
 * @packageDocumentation
 */
export type * from "./backends/contract.ts";

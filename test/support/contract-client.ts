// The client of the contract under the names that test/redis imports: goes once those import it from src/testing.

export { ContractClient, bytesOf as text, remove, save, textOf } from "../../src/testing/contract-client.ts";

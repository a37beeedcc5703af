// JSON as text, for the tests of what the serializer reads and writes.

import { Buffer } from "node:buffer";

import { json } from "../../../src/serializers/json.ts";

export const read = (text: string): unknown => json.deserialize(Buffer.from(text));

/** The same JSON, but so long that its text is searched instead of its value walked. */
export const padded = (text: string): string => `${" ".repeat(3000)}${text}${"\n".repeat(3000)}`;

export function errorOf(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it did not throw an error");
}

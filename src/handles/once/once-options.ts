/** Parses the options of `store.once()`. */
import type { Durability } from "../../backends/contract.ts";
import { InvalidArgumentError } from "../../errors.ts";
import * as parse from "../../options.ts";
import type { Parsed, Parser } from "../../options.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import type { OnceOptions } from "./once.ts";

export type ParsedOnceOptions = Parsed<Omit<OnceOptions, "serializer">> & { serializer?: Serializer };

export function parseOnceOptions(options: unknown, durability: Parser<Durability>): ParsedOnceOptions {
  const own = parse.parseOptions<Partial<ParsedOnceOptions>>("once()", options, {
    keepMs: parse.keepMs,
    fingerprint: (value) => value,
    errors,
    minHoldMs: parse.minHoldMs,
    serializer: parse.recordSerializer,
    leaseMs: parse.leaseMs,
    waitMs: parse.waitMs,
    durability,
  });
  const { keepMs } = own;
  if (keepMs !== undefined) return { ...own, keepMs };
  throw new InvalidArgumentError(
    "once() needs { keepMs }: how long the result is remembered, in milliseconds, or Infinity.",
  );
}

const errors: Parser<"retry" | "remember"> = (value, name) => {
  if (value === "retry" || value === "remember") return value;
  throw new InvalidArgumentError(`${name} must be "retry" or "remember"; got ${parse.show(value)}.`);
};

/** The options of `store.states()`, and what it lists. */
import { InvalidArgumentError, type HoldfastError } from "../errors.ts";
import type { Scope } from "../handles/scope.ts";
import * as parse from "../options.ts";
import type { ListOptions, Parser } from "../options.ts";
import type { SerializerName } from "../serializers/named.ts";
import type { Serializer } from "../serializers/serializer.ts";

import type { StateInfo } from "./state-info.ts";

/** Options of `store.states()`. */
export interface StatesOptions extends ListOptions {
  /** Whether each entry has the state's value. Default: false, which reads no values. */
  values?: boolean | undefined;
  /** At most so many entries, 1 or more. Default: all. */
  limit?: number | undefined;
  /** Only ids after this one in the order; it need not exist. With `order: "desc"`, only ids before it. */
  after?: string | undefined;
  /**
   * The order of ids, by their UTF-8 bytes. Default: none, or "asc" with `after`. On Redis, only if the store was opened
   * with `index: true`.
   */
  order?: "asc" | "desc" | undefined;
  /** What the values are read with. Default: that of the store. */
  serializer?: SerializerName | Serializer | undefined;
}

/**
 * A stored state with its value. If the value cannot be read, the entry has an `error` instead: the state was written by
 * another serializer or in another version, it is sealed with another key, or it is damaged.
 */
export type StateWithValue<T> = StateInfo &
  (
    | {
        /** The value of the state. */
        readonly value: T;
        /** The value could be read. */
        readonly error?: undefined;
      }
    | {
        /** The value could not be read. */
        readonly value?: undefined;
        /** Why not: a CorruptStateError, SealError or VersionError. */
        readonly error: HoldfastError;
      }
  );

/** How many states there are: the answer of `store.count()`. */
export interface StateCount {
  /** The number of states. */
  readonly count: number;
  /** Whether exactly so many existed at one instant of the call. */
  readonly exact: boolean;
}

/** The options after parsing: the serializer is one. */
export type ParsedStatesOptions = Omit<parse.Given<StatesOptions>, "serializer"> & {
  serializer?: Serializer;
};

const limit: Parser<number> = (value, name) => {
  if (Number.isSafeInteger(value) && Number(value) >= 1) return Number(value);
  throw new InvalidArgumentError(`${name} must be a whole number from 1; got ${parse.show(value)}.`);
};

const order: Parser<"asc" | "desc"> = (value, name) => {
  if (value === "asc" || value === "desc") return value;
  throw new InvalidArgumentError(`${name} must be "asc" or "desc"; got ${parse.show(value)}.`);
};

export function parseStatesOptions(scope: Scope, options: unknown): ParsedStatesOptions {
  const parsed = parse.parseOptions<ParsedStatesOptions>("states()", options, {
    idPrefix: scope.idPrefix,
    values: parse.boolean,
    limit,
    after: (value, name) => scope.key(value, name),
    order,
    serializer: parse.serializer,
  });
  if (parsed.serializer === undefined || parsed.values === true) return parsed;
  throw new InvalidArgumentError("serializer is for the values of states(): give values: true with it.");
}

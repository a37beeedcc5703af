/** The options of a state's handle, parsed and complete with those of its store. */
import type { Durability } from "../../backends/contract.ts";
import { runForCaller } from "../../caller-stacks.ts";
import * as names from "../../names.ts";
import * as parse from "../../options.ts";
import type { WhenNew } from "../../options.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import type { Session } from "../../session.ts";
import { Codec } from "../../updates/codec.ts";
import type { StateOptions } from "./state.ts";

export interface OwnOptions {
  readonly id: string;
  readonly codec: Codec;
  /** Makes the value of an absent state, in the name of the caller. */
  readonly initial: (() => unknown) | undefined;
  readonly ttlMs: number | WhenNew | undefined;
  readonly maxHoldMs: number | undefined;
  readonly durability: Durability | undefined;
}

interface ParsedStateOptions<T> {
  initial?: () => T;
  ttlMs?: number | WhenNew;
  serializer?: Serializer;
  maxHoldMs?: number;
  durability?: Durability;
}

export function parseOwnOptions<T>(
  { settings }: Session,
  id: string,
  options: StateOptions<T> | undefined,
): OwnOptions {
  const own = parse.parseOptions<ParsedStateOptions<T>>("state()", options, {
    initial: parse.initial,
    ttlMs: parse.stateTtlMs,
    serializer: parse.serializer,
    maxHoldMs: parse.maxHoldMs,
    durability: settings.readDurability,
  });
  const { initial, ttlMs, maxHoldMs } = own;
  const parsedId = names.parseId(id, "A state's id");
  return {
    id: parsedId,
    codec: new Codec(parsedId, own.serializer ?? settings.serializer, settings.maxStateBytes),
    initial: initial && ((): T => runForCaller(initial)),
    ttlMs,
    maxHoldMs,
    durability: own.durability ?? settings.durability,
  };
}

/** The options of a state's handle, parsed and complete with those of its store. */
import type { Durability } from "../../backends/contract.ts";
import { runForCaller } from "../../caller-stacks.ts";
import * as parse from "../../options.ts";
import type { WhenNew } from "../../options.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import { Codec } from "../../updates/codec.ts";
import type { Session } from "../../session.ts";
import type { Scope } from "../scope.ts";
import { StateCodec } from "../../updates/formats/state-codec.ts";
import type { StateOptions } from "./state.ts";
import { ruleParsers, rulesOf, type ParsedRules } from "./value-rules.ts";

export interface OwnOptions {
  readonly key: string;
  readonly codec: Codec;
  /** Makes the value of an absent state, in the name of the caller. */
  readonly initial: (() => unknown) | undefined;
  readonly ttlMs: number | WhenNew | undefined;
  readonly maxHoldMs: number | undefined;
  readonly durability: Durability | undefined;
}

interface ParsedStateOptions<T> extends ParsedRules {
  initial?: () => T;
  ttlMs?: number | WhenNew;
  serializer?: Serializer;
  maxHoldMs?: number;
  durability?: Durability;
}

export function parseOwnOptions<T>(
  scope: Scope,
  id: string,
  options: StateOptions<T> | undefined,
): OwnOptions {
  const { session } = scope;
  const { settings } = session;
  const own = parse.parseOptions<ParsedStateOptions<T>>("state()", options, {
    initial: parse.initial,
    ttlMs: parse.stateTtlMs,
    serializer: parse.serializer,
    maxHoldMs: parse.maxHoldMs,
    durability: settings.readDurability,
    ...ruleParsers,
  });
  const { initial, ttlMs, maxHoldMs } = own;
  const key = scope.key(id, "A state's id");
  return {
    key,
    codec: codecOf(session, key, own),
    initial: initial && ((): T => runForCaller(initial)),
    ttlMs,
    maxHoldMs,
    durability: own.durability ?? settings.durability,
  };
}

function codecOf<T>({ settings }: Session, id: string, own: ParsedStateOptions<T>): Codec {
  const [serializer, maxBytes] = [own.serializer ?? settings.serializer, settings.maxStateBytes];
  const rules = rulesOf(own, serializer);
  return rules === undefined
    ? new Codec(id, serializer, maxBytes)
    : new StateCodec({ id, serializer, maxBytes }, rules);
}

/**
 * The public types of `loadMany`, `saveMany`, `deleteMany` and `deleteAll`: what is asked for, and what is answered for
 * each id.
 */
import type { HoldfastError } from "../../errors.ts";
import type { DurabilityOptions, WhenNew } from "../../options.ts";
import type { Grant } from "../../ownership/public-grant.ts";
import type { GrantSet } from "../../ownership/grant-set.ts";
import type { SerializerName } from "../../serializers/named.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import type { Revision } from "../state/state.ts";

/** Options of `store.loadMany()`. */
export interface LoadManyOptions {
  /** How the values are serialized. Default: as the store's. */
  serializer?: SerializerName | Serializer | undefined;
}

/** One answer of `store.loadMany()`. Without an `error`, a `revision` of `null` means that the state is absent. */
export type LoadResult<T> =
  | {
      /** The id, as it was asked for. */
      readonly id: string;
      /** The value of the state. */
      readonly value: T;
      /** Its revision. */
      readonly revision: Revision;
      /** Nothing went wrong. */
      readonly error: undefined;
    }
  | {
      /** The id, as it was asked for. */
      readonly id: string;
      /** There is none. */
      readonly value: undefined;
      /** The state is absent. */
      readonly revision: null;
      /** Nothing went wrong. */
      readonly error: undefined;
    }
  | {
      /** The id, as it was asked for. */
      readonly id: string;
      /** It could not be read. */
      readonly value: undefined;
      /** It could not be read. */
      readonly revision: undefined;
      /** What is stored cannot be read: a CorruptStateError, SealError or VersionError. It is left as it is. */
      readonly error: HoldfastError;
    };

/** Options of `store.deleteMany()`. */
export interface DeleteManyOptions {
  /** Ids whose lock it has are written under it; found automatically inside `lock.run(fn)`. */
  grant?: Grant | GrantSet | undefined;
  /** How long each id waits while others hold its lock, in milliseconds. Default: as the store's. */
  waitMs?: number | undefined;
  /** Ends the call, which rejects with `signal.reason`. What was written before stays written. */
  signal?: AbortSignal | undefined;
  /** How many replicas must have the writes before they are acknowledged. */
  durability?: DurabilityOptions | undefined;
}

/** Options of `store.saveMany()`. */
export interface SaveManyOptions extends DeleteManyOptions {
  /** How the values are serialized. Default: as the store's. */
  serializer?: SerializerName | Serializer | undefined;
  /**
   * The new time to live in milliseconds, of entries that have none of their own. "keep": unchanged. "none": never
   * expires. `{ whenNew }`: applies to new states only. Default: "keep".
   */
  ttlMs?: number | "keep" | "none" | WhenNew | undefined;
  /** Instead of `ttlMs`: when they expire. As `expiresAt` of `save`. */
  expiresAt?: Date | number | undefined;
}

/** One of the states that `store.saveMany()` saves. */
export interface SaveEntry<T = unknown> {
  /** The id of the state. */
  id: string;
  /** Its new value. */
  value: T;
  /** Save it only if the state is at this revision, or absent. */
  ifRevision?: Revision | "absent" | undefined;
  /** As in {@link SaveManyOptions.ttlMs}, for this state. */
  ttlMs?: number | "keep" | "none" | WhenNew | undefined;
  /** Instead of `ttlMs`: when this state expires. */
  expiresAt?: Date | number | undefined;
}

/** One answer of `store.saveMany()`. */
export type SaveResult =
  | {
      /** The id, as it was given. */
      readonly id: string;
      /** The new revision of the state. */
      readonly revision: Revision;
      /** It was saved. */
      readonly error: undefined;
    }
  | {
      /** The id, as it was given. */
      readonly id: string;
      /** It was not saved, or may not have been: see `error.outcome`. */
      readonly revision: undefined;
      /** Why not. */
      readonly error: HoldfastError;
    };

/** One answer of `store.deleteMany()`. `deleted`: whether there was a state. */
export type DeleteResult =
  | {
      /** The id, as it was given. */
      readonly id: string;
      /** Whether there was a state. */
      readonly deleted: boolean;
      /** Nothing went wrong. */
      readonly error: undefined;
    }
  | {
      /** The id, as it was given. */
      readonly id: string;
      /** It was not deleted, or may not have been: see `error.outcome`. */
      readonly deleted: undefined;
      /** Why not. */
      readonly error: HoldfastError;
    };

/** Options of `store.deleteAll()`. */
export interface DeleteAllOptions {
  /** Which states are deleted: those whose ids begin with it. `""` means all of them. */
  idPrefix: string;
  /** Ids whose lock it has are deleted under it; found automatically inside `lock.run(fn)`. */
  grant?: Grant | GrantSet | undefined;
  /** How long each id waits while others hold its lock, in milliseconds. Default: as the store's. */
  waitMs?: number | undefined;
  /** Ends the call, which rejects with `signal.reason`. What was deleted before stays deleted. */
  signal?: AbortSignal | undefined;
  /** How many replicas must have the deletes before they are acknowledged. */
  durability?: DurabilityOptions | undefined;
}

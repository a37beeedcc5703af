// The fields of random calls: what is written, for how long, by which ticket.

import fc from "fast-check";

/** `until`: as long as that from now, or long ago. */
export type TtlOp =
  number | "keep" | "none" | { readonly whenNew: number } | { readonly until: number | "past" };

export interface WriteOp {
  readonly kind: "save" | "delete" | "touch";
  readonly value: number;
  readonly serializer: "json" | "json@2" | "other";
  /** Other formats that it may replace. */
  readonly replaces: readonly string[] | undefined;
  /** Which of the durations, for every state or a new one; "keep" or "none". A touch takes the second of the last two. */
  readonly ttl: TtlOp;
  readonly ifRevision: "any" | "absent" | "latest" | "old";
}

/** What a ticket asks for; "permits" are of the semaphore, the others of a lock. */
export type ShareOp = "exclusive" | "shared" | { readonly weight: number; readonly limit: number | null };

export const client = fc.nat(2);
export const id = fc.nat(2);
export const lease = fc.nat(2);
export const ttl = fc.nat(1);
/** A recent one more often than an old one: the interpreter counts from the end. */
export const ticket = fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(12) });
export const fences = fc.integer({ min: 1, max: 3 });
export const ifRevision = fc.oneof(
  { weight: 5, arbitrary: fc.constant("any" as const) },
  { weight: 3, arbitrary: fc.constantFrom("latest" as const, "absent" as const, "old" as const) },
);
export const life: fc.Arbitrary<TtlOp> = fc.oneof(
  ttl,
  fc.record({ whenNew: ttl }),
  fc.record({ until: fc.oneof(ttl, fc.constant("past" as const)) }),
  fc.constantFrom("keep" as const, "none" as const),
);
export const write: fc.Arbitrary<WriteOp> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant("save" as const) },
    { weight: 1, arbitrary: fc.constantFrom("delete" as const, "touch" as const) },
  ),
  value: fc.nat(99),
  serializer: fc.oneof(
    { weight: 9, arbitrary: fc.constant("json" as const) },
    { weight: 2, arbitrary: fc.constantFrom("other" as const, "json@2" as const) },
  ),
  replaces: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 4, arbitrary: fc.subarray(["json", "json@2", "other"]) },
  ),
  ttl: life,
  ifRevision,
});
export const limit = fc.integer({ min: 1, max: 4 });
export const share: fc.Arbitrary<ShareOp> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("exclusive" as const) },
  { weight: 4, arbitrary: fc.constant("shared" as const) },
  {
    weight: 4,
    // Seldom another limit than the first one: it is refused, and then there is little to see.
    arbitrary: fc.record({
      weight: fc.integer({ min: 1, max: 3 }),
      limit: fc.oneof(
        { weight: 6, arbitrary: fc.constant(3) },
        { weight: 1, arbitrary: limit },
        { weight: 2, arbitrary: fc.constant(null) },
      ),
    }),
  },
);
/** Of those that may be made together. */
export const saveOrDelete = write.map((op): WriteOp => (op.kind === "touch" ? { ...op, kind: "save" } : op));

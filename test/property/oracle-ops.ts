// Random sequences of calls of the Backend contract, as data: small numbers that pick among what is there when they
// are carried out (oracle-run.ts), so that a failing sequence can be shrunk.

import fc from "fast-check";

export interface WriteOp {
  readonly kind: "save" | "delete";
  readonly value: number;
  readonly serializer: "json" | "other";
  /** Which of the durations, for every state or a new one; "keep" or "none". */
  readonly ttl: number | "keep" | "none" | { readonly whenNew: number };
  readonly ifRevision: "any" | "absent" | "latest" | "old";
}

/** What a ticket asks for; "permits" are of the semaphore, the others of a lock. */
export type ShareOp = "exclusive" | "shared" | { readonly weight: number; readonly limit: number | null };

export interface KeepOp {
  readonly lease: number;
  readonly fences: number;
}

/** One state of a commit, and what happens to its lock. */
export interface CommitPartOp {
  /** Of the tickets that the client may still use, on ids that have none yet. */
  readonly ticket: number;
  readonly write: WriteOp | null;
  /** Also checked where nothing is written. */
  readonly ifRevision: WriteOp["ifRevision"];
  readonly releases: boolean;
}

export interface NoteOp {
  readonly ticket: number;
  readonly asks: readonly number[];
}

export type Op =
  | {
      readonly op: "ask";
      /** For a fresh one; it goes on asking for the same. */
      readonly share: ShareOp;
      readonly fresh: boolean;
      readonly ticket: number;
      readonly client: number;
      readonly id: number;
      readonly lease: number;
      readonly queue: boolean;
      readonly load: boolean;
      readonly fences: number;
    }
  | {
      /** By a fresh ticket, from this one, which may or may not hold the lock. */
      readonly op: "adopt";
      readonly ticket: number;
      readonly client: number;
      readonly fence: number;
      readonly lease: number;
      readonly load: boolean;
      readonly fences: number;
    }
  | { readonly op: "renew"; readonly tickets: readonly number[]; readonly lease: number }
  | {
      readonly op: "release";
      readonly ticket: number;
      readonly write: WriteOp | null;
      readonly keep: KeepOp | null;
    }
  | {
      readonly op: "commit";
      /** Of as many tickets as some client has been granted at once, rather than of any. */
      readonly granted: boolean;
      readonly ticket: number;
      readonly parts: readonly CommitPartOp[];
    }
  | {
      readonly op: "force";
      readonly ticket: number;
      readonly client: number;
      readonly ifFence: number | null;
    }
  | { readonly op: "cancel"; readonly ticket: number }
  /** Each with the tickets that it waits for. `late`: a copy of an earlier call. */
  | { readonly op: "note"; readonly notes: readonly NoteOp[]; readonly late: boolean }
  | { readonly op: "write-under"; readonly ticket: number; readonly write: WriteOp }
  | {
      readonly op: "write";
      readonly client: number;
      readonly id: number;
      readonly write: WriteOp;
    }
  | {
      readonly op: "touch";
      readonly client: number;
      readonly id: number;
      readonly ttl: number;
    }
  | { readonly op: "load" | "inspect"; readonly client: number; readonly id: number }
  | {
      readonly op: "resize";
      readonly client: number;
      readonly limit: number;
      readonly created: number | null;
    }
  | { readonly op: "delete-semaphore"; readonly client: number }
  | { readonly op: "inspect-semaphore"; readonly client: number }
  | { readonly op: "list"; readonly client: number }
  /** A retry or a late copy of something done before. */
  | { readonly op: "again"; readonly entry: number }
  /** The receipts of all clients are lost. */
  | { readonly op: "forget" }
  | { readonly op: "advance"; readonly ticks: number };

const client = fc.nat(2);
const id = fc.nat(2);
const lease = fc.nat(2);
const ttl = fc.nat(1);
/** A recent one more often than an old one: the interpreter counts from the end. */
const ticket = fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(12) });
const fences = fc.integer({ min: 1, max: 3 });
const ifRevision = fc.oneof(
  { weight: 5, arbitrary: fc.constant("any" as const) },
  { weight: 3, arbitrary: fc.constantFrom("latest" as const, "absent" as const, "old" as const) },
);
const write: fc.Arbitrary<WriteOp> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant("save" as const) },
    { weight: 1, arbitrary: fc.constant("delete" as const) },
  ),
  value: fc.nat(99),
  serializer: fc.oneof(
    { weight: 9, arbitrary: fc.constant("json" as const) },
    { weight: 1, arbitrary: fc.constant("other" as const) },
  ),
  ttl: fc.oneof(ttl, fc.record({ whenNew: ttl }), fc.constantFrom("keep" as const, "none" as const)),
  ifRevision,
});
const keep: fc.Arbitrary<KeepOp> = fc.record({ lease, fences });
const commitPart: fc.Arbitrary<CommitPartOp> = fc.record({
  ticket: fc.nat(3),
  write: fc.option(write, { freq: 4, nil: null }),
  ifRevision: fc.oneof({ weight: 4, arbitrary: fc.constant("any" as const) }, ifRevision),
  releases: fc.boolean(),
});
const limit = fc.integer({ min: 1, max: 4 });
const share: fc.Arbitrary<ShareOp> = fc.oneof(
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
const isYes = (word: "yes" | "no"): boolean => word === "yes";
const is = <Name extends string>(name: Name): fc.Arbitrary<Name> => fc.constant(name);

const weighted: readonly { weight: number; arbitrary: fc.Arbitrary<Op> }[] = [
  {
    weight: 12,
    arbitrary: fc.record({
      op: is("ask"),
      share,
      fresh: fc.boolean(),
      ticket,
      client,
      id,
      lease,
      queue: fc.oneof({ weight: 4, arbitrary: is("yes") }, { weight: 1, arbitrary: is("no") }).map(isYes),
      load: fc.boolean(),
      fences,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: is("release"),
      ticket,
      write: fc.option(write, { nil: null }),
      keep: fc.option(keep, { freq: 2, nil: null }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: is("commit"),
      granted: fc.oneof({ weight: 3, arbitrary: is("yes") }, { weight: 1, arbitrary: is("no") }).map(isYes),
      ticket,
      parts: fc.array(commitPart, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: is("renew"),
      tickets: fc.array(ticket, { minLength: 1, maxLength: 3 }),
      lease,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: is("force"), ticket, client, ifFence: fc.option(fc.nat(3), { nil: null }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: is("adopt"),
      ticket,
      client,
      fence: fc.nat(3),
      lease,
      load: fc.boolean(),
      fences,
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: is("cancel"), ticket }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: is("note"),
      notes: fc.array(fc.record({ ticket, asks: fc.array(ticket, { maxLength: 2 }) }), {
        minLength: 1,
        maxLength: 2,
      }),
      late: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: is("write-under"), ticket, write }) },
  { weight: 4, arbitrary: fc.record({ op: is("write"), client, id, write }) },
  { weight: 1, arbitrary: fc.record({ op: is("touch"), client, id, ttl }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom("load" as const, "inspect" as const), client, id }),
  },
  { weight: 1, arbitrary: fc.record({ op: is("list"), client }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: is("resize"), client, limit, created: fc.option(limit, { nil: null }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constantFrom("delete-semaphore" as const, "inspect-semaphore" as const),
      client,
    }),
  },
  { weight: 8, arbitrary: fc.record({ op: is("again"), entry: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ op: is("forget") }) },
];

/** One client asks for several locks, which a commit needs. */
const together: fc.Arbitrary<Op[]> = fc
  .record({ client, lease, load: fc.boolean(), fences, all: fc.subarray([0, 2, 1], { minLength: 2 }) })
  .map(({ all, ...ask }) =>
    all.map((id) => ({ op: "ask", share: "exclusive", fresh: true, ticket: 0, id, queue: true, ...ask })),
  );

export interface Walk {
  /** How often time passes, against 50 for all else. */
  readonly advances: number;
  /** At most. */
  readonly calls: number;
  readonly shares: boolean;
}

export function sequences({ advances, calls, shares }: Walk): fc.Arbitrary<Op[]> {
  const advance: fc.Arbitrary<Op> = fc.record({ op: is("advance"), ticks: fc.integer({ min: 1, max: 4 }) });
  const single = fc.oneof(...weighted, { weight: advances, arbitrary: advance }).map((op) => [op]);
  const ops = fc
    .array(fc.oneof({ weight: 12, arbitrary: single }, { weight: 1, arbitrary: together }), {
      minLength: 1,
      maxLength: calls,
      size: "max",
    })
    .map((all) => all.flat());
  return shares ? ops : ops.map((all) => all.filter((op) => !ofShares.has(op.op)).map(withoutShare));
}

const ofShares = new Set(["resize", "delete-semaphore", "inspect-semaphore"]);

function withoutShare(op: Op): Op {
  return op.op === "ask" ? { ...op, share: "exclusive" } : op;
}

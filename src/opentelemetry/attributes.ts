/**
 * The attributes of spans and metrics. Ids are in none of them: only the group that the application makes of an id is,
 * since a value for each id would be too many for a metric.
 */
import { diag, type Attributes } from "@opentelemetry/api";
import { HoldfastError } from "../errors.ts";
import type {
  AcquireTrace,
  HoldTrace,
  SaveTrace,
  TraceOutcome,
  UpdateKind,
  UpdateTrace,
} from "../diagnostics/traces.ts";

export type GroupOf = (id: string) => string | undefined;

export type AnyTrace = AcquireTrace | HoldTrace | UpdateTrace | SaveTrace;

/** What is known when it begins: of spans and metrics. */
export function attributesOf(trace: AnyTrace, groupOf: GroupOf | undefined): Attributes {
  const group = groupOf && groupsOf(trace.ids, groupOf);
  return { ...kindOf(trace), ...(group !== undefined && { "holdfast.group": group }) };
}

/** What is known when it has ended: of spans and metrics. */
export function endAttributesOf({ outcome, error }: AnyTrace): Attributes {
  return { "holdfast.outcome": outcome, ...(error !== undefined && { "error.type": typeOf(error) }) };
}

type Details = Partial<
  Pick<AcquireTrace, "weight" | "nested"> &
    Pick<UpdateTrace, "fences" | "waitedMs" | "save"> &
    Pick<SaveTrace, "size" | "bytes">
>;

/** What only spans have. */
export function detailsOf(trace: AnyTrace): Attributes {
  const { fences = [], waitedMs, weight, nested, save, size, bytes }: Details = trace;
  const details: Attributes = {
    "holdfast.fence": fences.length === 1 ? fences[0] : undefined,
    "holdfast.fences": fences.length > 1 ? [...fences] : undefined,
    "holdfast.wait.duration": waitedMs === undefined ? undefined : waitedMs / 1_000,
    "holdfast.lock.weight": weight,
    "holdfast.lock.nested": nested === true ? true : undefined,
    "holdfast.update.batch_size": size ?? save?.size,
    "holdfast.save.bytes": bytes,
  };
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
}

const ends: ReadonlySet<TraceOutcome | undefined> = new Set(["busy", "aborted", "conflict"]);

/** Whether it failed: not if it was ended by the caller's own signal, or by what the caller has asked to be told. */
export function isFailure({ outcome, error }: AnyTrace): boolean {
  return error !== undefined && !ends.has(outcome);
}

function kindOf(trace: AnyTrace): Attributes {
  if (!("kind" in trace)) return {};
  return isUpdate(trace) ? { "holdfast.update.kind": trace.kind } : { "holdfast.lock.kind": trace.kind };
}

/** A record, so that the compiler notices a kind that is missing. */
const updates: Readonly<Record<UpdateKind, true>> = {
  update: true,
  run: true,
  save: true,
  delete: true,
  take: true,
  transact: true,
  once: true,
};

function isUpdate({ kind }: { readonly kind: string }): boolean {
  return Object.hasOwn(updates, kind);
}

/** The groups of all its ids, each once. An error in the application's function must not end its calls. */
function groupsOf(ids: readonly string[], groupOf: GroupOf): string | undefined {
  try {
    const groups = new Set(ids.map((id) => groupOf(id)).filter((group) => group !== undefined));
    return groups.size === 0 ? undefined : [...groups].map(String).sort().join(",");
  } catch (error) {
    diag.error("holdfast: groupOf() threw", error);
    return undefined;
  }
}

function typeOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.code;
  return error instanceof Error ? error.name : "_OTHER";
}

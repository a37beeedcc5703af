/**
 * The marks of a move: which places it has, whether it may begin, where it was interrupted, and what each place is
 * afterwards.
 *
 * | marks of the places | what is to be done |
 * |---|---|
 * | `from`: its shards; `to`: none, and nothing is there | begin: mark all of them as moving |
 * | some are moving, from and to the same places | continue |
 * | some of `to` are its shards already, the others are moving | only the marks are left to write |
 * | `to`: its shards; `from`: none, and nothing is there | nothing |
 *
 * A store of one shard has no mark. Everything else is refused before anything is written.
 */
import { isPlace, type Move, type ShardMark } from "../backends/shard-mark.ts";
import { InvalidArgumentError, LockTimeoutError, quoted } from "../errors.ts";
import type { Part } from "./part.ts";

export interface Sides {
  readonly from: readonly Part[];
  readonly to: readonly Part[];
}

/** What is left to do. */
export type Left = "everything" | "marks" | "nothing";

export function moveOf({ from, to }: Sides, at: string): Move {
  return { from: from.map(({ label }) => label), to: to.map(({ label }) => label), at };
}

/** Refuses what cannot be moved. */
export async function look(sides: Sides): Promise<Left> {
  const { from, to } = sides;
  const here = moveOf(sides, "");
  const targets = await marksOf(to);
  const sources = await marksOf(from);
  const isMoving = [...targets, ...sources].some((mark) => isSameMove(mark, here));
  const places = targets.filter((mark, index) => isPlaceOf(mark, index, to.length));
  const isShared = (label: string): boolean => here.to.includes(label) && here.from.includes(label);
  if (places.length === to.length && (to.length > 1 || !isMoving)) {
    const isLeft = from.map(async (part, index) => {
      if (isShared(part.label)) return to.length === 1 ? sources[index] === null : true;
      return sources[index] === null && (await part.isEmpty());
    });
    if ((await Promise.all(isLeft)).every(Boolean)) return "nothing";
  }
  if (isMoving && to.length > 1 && places.length > 0) return "marks";
  for (const [index, part] of from.entries()) {
    const mark = sources[index] ?? null;
    const isLeft = mark === null && isMoving && (await part.isEmpty()); // interrupted while marks were removed
    if (!isLeft) checkSource(part, mark, { here, index });
  }
  for (const [index, part] of to.entries()) {
    const mark = targets[index] ?? null;
    if (isSameMove(mark, here) || isShared(part.label)) continue;
    if (mark !== null) throw new InvalidArgumentError(`${part.label} is ${textOf(mark)}.`);
    if (await part.isEmpty()) continue;
    throw new InvalidArgumentError(`${part.label} has states or locks already: nothing may be there.`);
  }
  for (const part of from) await checkUnlocked(part);
  return "everything";
}

/** Writes the marks of the move. Returns the indexes in `to` of places that are in `from` too, by their index there. */
export async function markAll(sides: Sides, run: string): Promise<ReadonlyMap<number, number>> {
  const { from, to } = sides;
  const before = await marksOf(from);
  const stamps: number[] = [];
  const shared = new Map<number, number>();
  const taken: Part[] = [];
  try {
    const at = (index: number): string => `${run} from ${String(index)}`;
    for (const [index, part] of from.entries()) stamps.push(await part.setMark(moveOf(sides, at(index))));
    for (const [index, mark] of (await marksOf(from)).entries())
      if (atOf(mark) !== at(index)) throw twice(from[index]);
    for (const [index, part] of to.entries()) {
      const found = atOf(await part.mark());
      const source = from.findIndex((_, nth) => found === at(nth));
      if ((found?.startsWith(`${run} to`) ?? false) || shared.has(source)) throw twice(part);
      if (source >= 0) shared.set(source, index);
      // Everything that is written from now on is newer than everything that was written before [S2] [L3].
      const own = source >= 0 ? at(source) : `${run} to ${String(index)}`;
      if (source < 0) taken.push(part);
      await part.setMark(moveOf(sides, own), Math.max(...stamps));
    }
    return shared;
  } catch (error) {
    await restore(from, before, taken);
    throw error;
  }
}

/** The places that the store has left have no mark; those that it has now say so. */
export async function finish(sides: Sides, shared: ReadonlyMap<number, number>): Promise<void> {
  const { from, to } = sides;
  for (const [index, part] of from.entries()) if (!shared.has(index)) await part.deleteMark();
  await markPlaces(to);
}

export async function markPlaces(to: readonly Part[]): Promise<void> {
  if (to.length === 1) await to[0]?.deleteMark();
  else for (const [index, part] of to.entries()) await part.setMark({ shard: index + 1, of: to.length });
}

function marksOf(parts: readonly Part[]): Promise<(ShardMark | null)[]> {
  return Promise.all(parts.map((part) => part.mark()));
}

/** As they were, unless a move was under way before. */
async function restore(
  from: readonly Part[],
  before: readonly (ShardMark | null)[],
  taken: readonly Part[],
): Promise<void> {
  if (before.some((mark) => mark !== null && !isPlace(mark))) return;
  for (const part of taken) await part.deleteMark();
  for (const [index, part] of from.entries()) {
    const mark = before[index] ?? null;
    await (mark === null ? part.deleteMark() : part.setMark(mark));
  }
}

function checkSource(
  { label }: Part,
  mark: ShardMark | null,
  { here, index }: { readonly here: Move; readonly index: number },
): void {
  const count = here.from.length;
  if (isSameMove(mark, here) || isPlaceOf(mark, index, count)) return;
  const wanted = count === 1 ? "a store of one shard" : `shard ${String(index + 1)} of ${String(count)}`;
  const found = mark === null ? "not marked as a shard" : textOf(mark);
  throw new InvalidArgumentError(`${label} should be ${wanted}, but it is ${found}.`);
}

async function checkUnlocked(part: Part): Promise<void> {
  const lock = await part.heldLock();
  if (lock === undefined) return;
  const { id, holder } = lock;
  throw new LockTimeoutError(
    `${part.label}: the lock ${quoted(id)} is held by ${holder.token}. Close the store in every process first.`,
  );
}

function isPlaceOf(mark: ShardMark | null, index: number, count: number): boolean {
  if (count === 1) return mark === null;
  return mark !== null && isPlace(mark) && mark.shard === index + 1 && mark.of === count;
}

function isSameMove(mark: ShardMark | null, { from, to }: Move): boolean {
  if (mark === null || isPlace(mark)) return false;
  return mark.from.join("\n") === from.join("\n") && mark.to.join("\n") === to.join("\n");
}

function atOf(mark: ShardMark | null): string | undefined {
  return mark === null || isPlace(mark) ? undefined : mark.at;
}

function textOf(mark: ShardMark): string {
  if (isPlace(mark)) return `shard ${String(mark.shard)} of ${String(mark.of)}`;
  return `in the middle of a move from ${mark.from.join(", ")} to ${mark.to.join(", ")}: run that one again`;
}

function twice(part: Part | undefined): InvalidArgumentError {
  return new InvalidArgumentError(`${part?.label ?? ""} is the same place as another one of the list.`);
}

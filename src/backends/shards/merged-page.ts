/**
 * A page in the order of ids, from pages of all shards.
 *
 * Each shard is asked for its part of the page. What lies behind the end of a page that is not the last one of its shard
 * is left for the next page, since that shard may have something before it.
 */
import type { ListRequest, Page, StateEntry } from "../contract.ts";
import { compareIds } from "../../ids/id-order.ts";

/** So small parts, of which most would be asked for again, are not worth a call. */
const leastPart = 16;

export async function mergedPage(
  shards: number,
  { limit, order = "asc" }: ListRequest,
  pageOf: (shard: number, limit: number) => Promise<Page<StateEntry>>,
): Promise<Page<StateEntry>> {
  const part = Math.min(limit, Math.ceil(limit / shards) + leastPart);
  const pages = await Promise.all(Array.from({ length: shards }, (_, shard) => pageOf(shard, part)));
  const compare = (a: string, b: string): number => (order === "asc" ? 1 : -1) * compareIds(a, b);
  const ends = pages.flatMap(({ cursor }) => (cursor === null ? [] : [cursor])).sort(compare);
  const cursor = ends[0] ?? null;
  const entries = pages
    .flatMap((page) => page.entries)
    .filter(({ id }) => cursor === null || compare(id, cursor) <= 0)
    .sort((a, b) => compare(a.id, b.id));
  return { entries, cursor, skipped: pages.flatMap(({ skipped }) => skipped ?? []) };
}

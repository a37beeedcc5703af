/** Listings: page by page; each page is requested only when the previous one has been used up. */
import type { ListRequest, Page } from "../backends/contract.ts";
import type { Scope } from "../handles/scope.ts";
import { withCallersStack } from "../caller-stacks.ts";
import * as parse from "../options.ts";
import type { ListOptions } from "../options.ts";
import * as names from "../names.ts";

/** The number of entries that a listing requests at a time. */
const pageSize = 500;

export function list<Entry extends { readonly id: string }>(
  scope: Scope,
  { call, options }: { readonly call: string; readonly options: ListOptions | undefined },
  page: (cursor: string | null, request: ListRequest) => Promise<Page<Entry>>,
): AsyncIterable<Entry> {
  const { session } = scope;
  const { idPrefix } = parse.parseOptions<ListOptions>(call, options, { idPrefix: scope.idPrefix });
  const request: ListRequest = { idPrefix: idPrefix ?? scope.prefix, limit: pageSize };
  async function* pages(): AsyncGenerator<Entry> {
    const seen = new Set<string>(); // a backend may name an entry again on a later page
    let cursor: string | null = null;
    do {
      const from: string | null = cursor;
      const answer: Page<Entry> = await withCallersStack(() => {
        session.admit();
        return session.calls.read("Listing", () => page(from, request));
      });
      for (const entry of answer.entries) {
        if (names.isInternal(entry.id) || seen.size === seen.add(entry.id).size) continue;
        yield { ...entry, id: scope.idOf(entry.id) };
      }
      cursor = answer.cursor;
    } while (cursor !== null);
  }
  return pages();
}

/** The ids that a command is to reach: those that are given, or all that begin with a text. */
import type { Values } from "../command.ts";
import { UsageError } from "../exit-codes.ts";

export const idsOption = {
  "id-prefix": { type: "string", value: "TEXT", help: "all whose ids begin with this" },
  yes: { type: "boolean", short: "y", help: "with --id-prefix: do not ask" },
} as const;

/** Exactly one of them is there. */
export type GivenIds =
  | { readonly ids: readonly string[]; readonly idPrefix?: undefined }
  | { readonly ids?: undefined; readonly idPrefix: string };

export function givenIds(ids: readonly string[], values: Values<typeof idsOption>): GivenIds {
  const { "id-prefix": idPrefix, yes = false } = values;
  if (idPrefix !== undefined && ids.length > 0) throw new UsageError("Give ids, or --id-prefix, not both.");
  if (idPrefix === "") throw new UsageError("--id-prefix must not be empty: it would reach all ids.");
  if (idPrefix !== undefined) return { idPrefix };
  if (ids.length === 0) throw new UsageError("Give at least one id, or --id-prefix.");
  if (yes) throw new UsageError("--yes is for --id-prefix.");
  return { ids };
}

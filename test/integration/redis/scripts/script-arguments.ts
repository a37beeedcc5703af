// What tests of the Lua scripts hand to them, made by hand: tickets, keys, receipts, changes; and what they get back.

import { makeKeys } from "../../../../src/backends/redis/protocol/keys.ts";

export type Reply = string | number | null | Reply[];

export const prefix = "t:";
/** Client ids of the three clients of these tests. */
export const [A, B, C] = ["a", "b", "c"].map((letter) => letter.repeat(24)) as [string, string, string];

export const ticketOf = (client: string, n = 1): string => `host:1:${client}:${String(n)}`;
export const clientOf = (ticket: string): string => ticket.split(":")[2] ?? "";

/** The receipt of a ticket is in the slot of its own number, unless a test says otherwise. */
export interface Told {
  readonly id?: string;
  readonly slot?: number;
  readonly n?: number;
  readonly keep?: number;
  readonly refresh?: boolean;
  readonly proof?: readonly [slot: number, n: number];
  readonly seen?: number;
}

export interface Asked extends Told {
  readonly leaseMs?: number;
  readonly fences?: number;
  readonly wish?: string;
}

export interface Change extends Told {
  readonly kind?: "save" | "delete" | "none";
  readonly serializer?: string;
  readonly ttl?: string;
  readonly ifRevision?: string;
  readonly bytes?: string;
  /** The key that the bytes were sent ahead to. */
  readonly staged?: string;
  readonly keepFor?: readonly [leaseMs: number, fences: number];
}

export const lockKey = `${prefix}lock:{x}`;
export const queueKey = `${prefix}queue:{x}`;
export const asksKey = `${prefix}asks:{x}`;
export const sharingKey = `${prefix}holders:{x}`;
export const stateKey = `${prefix}state:{x}`;
export const stampKey = `${prefix}stamp`;
export const doneKey = (client: string): string => `${prefix}done:${client}`;

export function names(client: string): ReturnType<typeof makeKeys> {
  return makeKeys(prefix, client);
}

export function keysOf(ticket: string, id = "x"): readonly string[] {
  return names(clientOf(ticket)).all(id);
}

export function slotOf(ticket: string): number {
  return Number(ticket.split(":")[3] ?? 0);
}

/** slot n proof */
export function own(ticket: string, told: Told): string[] {
  const { slot = slotOf(ticket), n = 1, proof } = told;
  return [String(slot), String(n), proof?.join(" ") ?? ""];
}

/** seen keep refresh */
export function common({ keep = 10_000, refresh = false, seen = 0 }: Told): string[] {
  return [seen, keep, refresh ? 1 : 0].map(String);
}

/** slot n proof keep refresh seen */
export function receipt(ticket: string, told: Told): string[] {
  const [seen = "", keep = "", refresh = ""] = common(told);
  return [...own(ticket, told), keep, refresh, seen];
}

export function changeOf(change: Change): string[] {
  const { kind = "save", serializer = "json", ttl = "keep", ifRevision = "", bytes = "new" } = change;
  return [kind, serializer, ttl, ifRevision, bytes];
}

/** One operation of a script that serves many: what the script needs for it, and what becomes of its reply. */
import type { Ticket } from "../../contract.ts";
import type { RedisReply } from "../client/port.ts";
import type { ReceiptExpiry } from "./receipt-hash.ts";
import type { AheadCommand } from "./script-runner.ts";

/** Text, except for what a script counts with. */
export type Field = string | number;

export interface OperationFields {
  readonly id: string;
  readonly ticket: Ticket;
  /** As the header of the script names them, after id and number. */
  readonly own: readonly Field[];
  /** Fields that many operations of one script have in common. */
  readonly terms: readonly Field[];
}

export interface OperationRequest extends OperationFields {
  /** The bytes of a save. */
  readonly bytes?: Buffer | undefined;
  /** A command that must be sent before the script. */
  readonly ahead?: AheadCommand | undefined;
  /** The size of its value, whether in the script or ahead of it. */
  readonly weight?: number;
  /** Strings of the reply are wanted as bytes. */
  readonly wantsBytes: boolean;
  /** Where one reply serves all: how far the next operation's stamp is from this one's. */
  readonly stamps: number;
}

/** Not one object with its request: to copy that is slow, and the copies would be of many shapes. */
export interface Operation<T> {
  readonly request: OperationRequest;
  /** The script has been sent: what is sent now follows it. */
  readonly onSent?: (() => void) | undefined;
  /** `expiry`: the expiry of the receipts, as this script was told of it. */
  readonly read: (reply: RedisReply, expiry: ReceiptExpiry) => T;
}

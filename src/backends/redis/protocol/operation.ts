/** One operation of a script that carries out many: its arguments, and how its reply is read. */
import type { Ticket } from "../../contract.ts";
import type { RedisReply } from "../client/client-port.ts";
import type { ReceiptExpiry } from "./receipt-hash.ts";
import type { AheadCommand } from "./script-runner.ts";

/** Text, except for numbers that a script calculates with. */
export type Field = string | number;

export interface OperationFields {
  readonly id: string;
  readonly ticket: Ticket;
  /** The fields that the header of the script names, after id and number. */
  readonly own: readonly Field[];
  /** Fields that many operations of one script have in common. */
  readonly terms: readonly Field[];
}

export interface OperationRequest extends OperationFields {
  /** The bytes of a save. */
  readonly bytes?: Buffer | undefined;
  /** A command that must be sent before the script. */
  readonly ahead?: AheadCommand | undefined;
  /** The size of its value, in the script or ahead of it. */
  readonly weight?: number;
  /** Whether the strings of the reply are needed as bytes. */
  readonly wantsBytes: boolean;
  /** If one reply serves all operations: the number of stamps from this operation to the next. */
  readonly stamps: number;
}

/** Not merged with its request: copying that is slow, and the copies would have many shapes. */
export interface Operation<T> {
  readonly request: OperationRequest;
  /** Called when the script has been sent: what is sent now follows it. */
  readonly onSent?: (() => void) | undefined;
  /** `expiry`: the expiry arguments that this script was sent with. */
  readonly read: (reply: RedisReply, expiry: ReceiptExpiry) => T;
}

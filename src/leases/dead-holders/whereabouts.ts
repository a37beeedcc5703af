/**
 * Whether the process that made a ticket is still there, as far as this process can know [L10].
 *
 * "gone" is certain: it is only said of a process of the same boot and PID namespace, if the kernel has no process of
 * this PID, or one that was started at another time, or a zombie, which will never run again. A stopped process is
 * there. Of all others, and of this process itself, nothing is said: their leases decide.
 */
import type { Ticket } from "../../backends/contract.ts";
import { parseTicket } from "../ticket.ts";
import { ownMark, type ProcessMark } from "./process-mark.ts";
import { ownView, statOf, type ProcessView } from "./process-view.ts";

export type Whereabouts = "there" | "gone" | "unknown";

/** `here`: the mark of the process that looks. */
export function whereabouts(ticket: Ticket, here = ownMark(), view: ProcessView = ownView): Whereabouts {
  if (here === undefined) return "unknown";
  const { pid, mark } = parseTicket(ticket);
  if (mark?.where !== here.where || !Number.isSafeInteger(pid) || pid < 1) return "unknown";
  if (pid === view.pid && mark.when === here.when) return "unknown"; // this process
  return isGone(pid, mark, view) ? "gone" : "there";
}

function isGone(pid: number, { when }: ProcessMark, view: ProcessView): boolean {
  const stat = statOf(view, pid);
  if (stat === undefined) return view.isFree(pid); // it may only be hidden
  if (Number(stat.startedAt).toString(36) !== when) return true;
  // Its other threads, if there are any left, are about to end as well.
  return stat.state === "X" || (stat.state === "Z" && stat.threads <= 1);
}

/** Sends one operation in a script of its own, which is the usual case: with nothing that only several need. */
import type { RedisReply } from "../client/client-port.ts";
import { repliesOf } from "../protocol/decode.ts";
import { argumentsAlone } from "./operation-encoder.ts";
import { causedByAhead } from "../protocol/script-runner.ts";
import { settle, type BatchTarget, type PendingOperation } from "./script-batch.ts";

/** Sends the script. Once it has a reply or has failed, `onReply` gets a function that settles the operation. */
export function sendAlone(
  { runner, script, madeKeys, shared }: BatchTarget,
  pending: PendingOperation,
  onReply: (settle: () => void) => void,
): void {
  const { operation, reject } = pending;
  const { request } = operation;
  const { ahead } = request;
  const { keys, args, expiry } = shared();
  const read = (reply: RedisReply): void => {
    const [own] = repliesOf(reply, [request.stamps]);
    settle(pending, own, { expiry, runner });
  };
  const call = {
    script,
    keys,
    madeKeys: () => madeKeys(request.id),
    args: argumentsAlone(request, [...args, request.bytes ?? ""]),
    bytes: request.wantsBytes,
    ahead: ahead && [ahead],
    onSent: operation.onSent,
    read: (reply: RedisReply) => onReply(() => read(reply)),
  };
  runner.run(call).catch((error: unknown) => onReply(() => reject(causedByAhead(ahead, error))));
}

/** Whether wakes are pushed: subscribes as a store does, and sends itself one. */
import { fail, ok, type Check } from "../../examination.ts";
import { WakeSubscription } from "../wake-subscription.ts";
import type { Inquiry } from "./inquiry.ts";

/** Longer than the subscription itself waits for its own message. */
const patienceMs = 7_000;
const advice =
  "Waiters ask every 250 ms instead, and are woken late. Permit SUBSCRIBE, PUBLISH and PUBSUB NUMSUB on the channels of " +
  "the prefix, and let every connection reach the same server.";

export function wakesCheck({ options }: Inquiry): Promise<Check> {
  const { client, runner, keys } = options;
  const { channel } = keys;
  return new Promise((resolve) => {
    const over = (check: Check): void => {
      clearTimeout(late);
      wakes.close();
      resolve(check);
    };
    const late = setTimeout(() => {
      over(fail("wakes", `none arrived within ${String(patienceMs)} ms`, advice));
    }, patienceMs);
    const wakes = new WakeSubscription({
      client,
      runner,
      channel,
      onWake: () => {
        if (wakes.pushes) over(ok("wakes", "a message that was sent to a subscription of ours arrived"));
      },
      warn: (_, message) => over(fail("wakes", message, advice)),
    });
    wakes.start();
  });
}

// Subscribes to the tracing channels as an application would, by their names, and writes down what comes.

import { tracingChannel } from "node:diagnostics_channel";

import type { traces } from "../../../src/diagnostics/traces.ts";

export type ChannelName = keyof typeof traces;
type Phase = "start" | "end" | "asyncStart" | "asyncEnd" | "error";

export interface Recorded {
  readonly channel: ChannelName;
  readonly phase: Phase;
  readonly trace: { readonly outcome?: string; readonly kind?: string; readonly [field: string]: unknown };
  /** What `context` returned when it came. */
  readonly context: unknown;
}

export interface Recorder extends Disposable {
  readonly all: readonly Recorded[];
  /** `acquire start`, in order. */
  names(...channels: ChannelName[]): string[];
  /** The objects of this channel, once each, that have ended. */
  ended(channel: ChannelName): Recorded["trace"][];
}

const phases = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;

export function record(channels: readonly ChannelName[], context: () => unknown = () => undefined): Recorder {
  const all: Recorded[] = [];
  const stops = channels.flatMap((channel) =>
    phases.map((phase) => {
      const one = tracingChannel(`holdfast:${channel}`)[phase];
      const note = (trace: unknown): void =>
        void all.push({ channel, phase, trace: trace as Recorded["trace"], context: context() });
      one.subscribe(note);
      return () => one.unsubscribe(note);
    }),
  );
  return {
    all,
    names: (...of) =>
      all.filter(({ channel }) => of.includes(channel)).map(({ channel, phase }) => `${channel} ${phase}`),
    ended: (of) =>
      all.filter(({ channel, phase }) => channel === of && phase === "asyncEnd").map(({ trace }) => trace),
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}

// Faults of the present code that the simulation finds and that are being mended: they are counted, and do not fail a run. The
// mend of one takes its row away, and gives the row of the same name in simulation.test.ts what undoes it.

import type { Violation } from "./checker.ts";
import type { Setting } from "./setting.ts";

interface Known {
  readonly name: string;
  readonly isIt: (violation: Violation, setting: Setting) => boolean;
}

export const known: readonly Known[] = [
  {
    name: "await-earlier-update",
    isIt: ({ rule }, { awaitsEarlier }) =>
      awaitsEarlier && ["not-settled", "left-behind", "not-calm", "not-recovered"].includes(rule),
  },
  {
    name: "answer-from-unsaved-change",
    isIt: ({ rule }) => rule === "dirty-read" || rule === "unexplained-conflict",
  },
  {
    name: "unreadable-after-save",
    isIt: ({ rule, text }) => rule === "failed-present" && text.includes("CORRUPT_STATE"),
  },
  {
    name: "two-late-renewals",
    isIt: ({ rule, text }) => rule === "unhandled" && text.includes("HOLDFAST_WATCH_TRANSITION: kept → kept"),
  },
];

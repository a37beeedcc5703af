// What must be true of leaders [E1], beyond what is checked of every grant in check-holds.ts: that terms are disjoint, that
// their fences rise, and that nothing is proclaimed by a leader whom another one has followed. Here: what looks see.

import { checkRising, groupBy, name, type Inquiry } from "./checker.ts";
import type { Call, Hold } from "./history.ts";

export function checkTerms(inquiry: Inquiry): void {
  const { history, nearFailover, violate, figures } = inquiry;
  const looks = history.calls.filter(
    ({ op, outcome }) => (op === "current" || op === "watch") && outcome === "ok",
  );
  const proclaimed = groupBy(
    history.calls.filter(({ proclaims }) => proclaims !== undefined),
    ({ proclaims }) => String(proclaims),
  );
  const terms = groupBy(history.holds, ({ id }) => id);
  for (const [id, ofId] of groupBy(looks, (look) => look.id)) {
    const sawLeader = ofId.filter(({ fence }) => fence !== undefined);
    figures["looks that saw a leader"] = (figures["looks that saw a leader"] ?? 0) + sawLeader.length;
    for (const look of sawLeader) {
      const by = proclaimed.get(String(look.value));
      if (by?.some((call) => call.id === id && call.begin < look.end) !== true)
        violate("unknown-leader", `${id}: ${name(look)} saw "${look.value}", which nobody had proclaimed`);
      checkEnded(inquiry, look, terms.get(id) ?? []);
    }
    checkRising(
      sawLeader.map((look) => ({ begin: look.begin, end: look.end, look })),
      // A term may be seen again.
      ({ look }) => Number(look.fence),
      ({ look: earlier }, { look: later }) => {
        if (earlier.fence === later.fence || nearFailover(earlier)) return;
        violate(
          "leader-back",
          `${id}: ${name(later)} saw fence ${later.fence}, after ${name(earlier)} had seen ${earlier.fence}`,
        );
      },
    );
  }
}

/** No look sees a term that was given up, or followed by another one, before the look began. */
function checkEnded({ nearFailover, violate }: Inquiry, look: Call, terms: readonly Hold[]): void {
  if (nearFailover(look)) return; // a former primary may have answered
  for (const term of terms) {
    const isGone = term.fence === look.fence && term.answer === true;
    const isFollowed = term.fence > Number(look.fence);
    const at = isGone ? term.releasedAt : term.from;
    if ((!isGone && !isFollowed) || at > look.begin || nearFailover({ begin: at, end: at })) continue;
    const what = isGone ? "had ended" : `was followed by fence ${term.fence} of ${term.life}`;
    violate("ended-term", `${look.id}: ${name(look)} saw the term with fence ${look.fence}, which ${what}`);
    return;
  }
}

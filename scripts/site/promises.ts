// What each promise says in one sentence, for the tooltip of its number: docs/promises.md quotes a promise below the
// heading that is its number, and the first sentence of that is what it says.

/** By number: "L7". Promises without a quote are left out. */
export function readPromises(text: string): ReadonlyMap<string, string> {
  const promises = new Map<string, string>();
  for (const [, id, quote] of text.matchAll(/^### \[([SLPOE]\d+)\]\n\n((?:>.*\n)+)/gm)) {
    if (id !== undefined && quote !== undefined) promises.set(id, firstSentence(quote));
  }
  return promises;
}

function firstSentence(quote: string): string {
  const text = quote
    .replaceAll(/^> ?/gm, "")
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/[`*]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return /^.*?[.;](?=\s|$)/.exec(text)?.[0].replace(/;$/, ".") ?? text;
}

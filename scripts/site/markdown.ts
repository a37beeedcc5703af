// Rewrites links and citations of promises in a Markdown text. Code is left as it is, in blocks and within a line, and so
// are headings, since their text is their anchor.

export interface LinkTarget {
  /** Relative to the page. */
  readonly path: string;
  /** With its "#", or empty. */
  readonly anchor: string;
}

export interface Rewriting {
  /** What stands for a citation such as [L7]. */
  readonly promise: (id: string) => string;
  /** What a relative link leads to. Links within the page and to other sites are not asked about. */
  readonly link: (target: LinkTarget) => string;
}

const blocks = /^(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1[`~]*[ ]*$|^#{1,6} .*$/gm;
const parts =
  /(?<code>(?<ticks>`+)[^`][\s\S]*?\k<ticks>)|\]\((?<target>[^)\s]+)(?<title>\s"[^"]*")?\)|\[(?<promise>[SLPOE]\d+)\](?![\](])/g;

/** The text with its links and citations replaced. */
export function rewriteMarkdown(text: string, rewriting: Rewriting): string {
  let rewritten = "";
  let at = 0;
  for (const block of text.matchAll(blocks)) {
    rewritten += rewriteProse(text.slice(at, block.index), rewriting) + block[0];
    at = block.index + block[0].length;
  }
  return rewritten + rewriteProse(text.slice(at), rewriting);
}

function rewriteProse(text: string, { promise, link }: Rewriting): string {
  return text.replaceAll(parts, (whole: string, ...rest: unknown[]) => {
    const found = rest.at(-1) as Partial<Record<"target" | "title" | "promise", string>>;
    if (found.promise !== undefined) return promise(found.promise);
    const { target } = found;
    if (target === undefined || /^(?:#|[a-z]+:)/i.test(target)) return whole;
    const [path = "", anchor] = target.split("#");
    const to = link({ path, anchor: anchor === undefined ? "" : `#${anchor}` });
    return `](${to}${found.title ?? ""})`;
  });
}

/** Texts of errors come from many sources: some end in a full stop and some do not. */

/** With one full stop at its end. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Without its full stop, to be put inside another sentence. */
export function clause(text: string): string {
  return text.replace(/\.$/, "");
}

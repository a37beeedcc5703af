/**
 * Finds a mistake that no value shows: a function of `update` or `run` assigns to its parameter, which changes a variable
 * of the function and nothing else: `update((n) => { n += 1; })`.
 *
 * A function that returns nothing may also have decided to change nothing (decision 0030), so the text of the function
 * decides: it assigns to what its first parameter binds, and has no `return` with a value (decision 0058). This is only
 * ever the reason for a warning. It is looked at only when a call has changed nothing, once for each text, for a bounded
 * number of texts. Where the text cannot be understood, there is no warning.
 */
import { warnOnce } from "../diagnostics/events.ts";
import { quoted } from "../errors.ts";

/** A program has few functions that change nothing; one that makes them without end is not looked at for ever. */
const maxTexts = 256;
const texts = new Set<string>();

/** A call of `fn` has returned `undefined` and left the draft as it was. */
export function noteNothingChanged(call: "update" | "run", id: string, fn: unknown): void {
  if (texts.size >= maxTexts || typeof fn !== "function") return;
  const text = Function.prototype.toString.call(fn);
  if (texts.size === texts.add(text).size) return;
  const name = assignedName(text);
  if (name === undefined) return;
  warnOnce("assigned-parameter", `${call} ${id}`, () => {
    const instead =
      call === "update"
        ? "Return the new value, as in update((n) => n + 1), or change properties of the draft"
        : "Change properties of the draft, or use update() and return the new value";
    return (
      `The function that was passed to ${call}() of the state ${quoted(id)} assigns to its parameter ${name} and returns ` +
      `nothing, so it changed nothing. ${instead}.`
    );
  });
}

/** What the first parameter binds and the body assigns to; `undefined`: nothing, or the body returns values. */
export function assignedName(text: string): string | undefined {
  const code = text.replaceAll(notCode, '""');
  const parts = /^(?:async\s+)?([\w$]+)\s*=>(.*)$/s.exec(code) ?? withParentheses.exec(code);
  if (parts === null) return undefined;
  const [, parameter = "", body = ""] = parts;
  if (/\breturn\b[ \t]*[^\s;}]/.test(body)) return undefined;
  if (regularExpression.test(body)) return undefined; // its text is not told from code here
  return boundNames(parameter).find((name) => isAssigned(name, body) && !hasOtherUse(name, body));
}

/** Comments and strings. */
const notCode = /\/\*.*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/gs;

const regularExpression = /[=(,:[!&|?{};]\s*\/(?![*/=])/;

/** An arrow function, a function or a method. The first parameter has no parentheses of its own. */
const withParentheses = /^(?:async\b\s*)?(?:function\b\s*)?(?:[\w$]+\s*)?\(([^()]*)\)(.*)$/s;

/** Of a name, `{ a, b: c }` or `[a, b]`; patterns in patterns are not understood. */
function boundNames(parameters: string): string[] {
  const [, one, properties, elements] =
    /^\s*(?:([\w$]+)|\{([^{}[\]]*)\}|\[([^{}[\]]*)\])/.exec(parameters) ?? [];
  if (one !== undefined) return [one];
  const names = (properties ?? elements ?? "").split(",");
  return names.flatMap((name) => /^\s*(?:[\w$]+\s*:\s*)?([\w$]+)/.exec(name)?.[1] ?? []);
}

/** Not a property of that name, and not a declaration of a new variable. */
function isAssigned(name: string, body: string): boolean {
  const word = name.replaceAll("$", "\\$");
  const before = String.raw`(?<![\w$.])(?<!\b(?:let|const|var)\s+)`;
  const operator = String.raw`(?:=(?![=>])|(?:\*\*|<<|>>>?|&&|\|\||\?\?|[-+*/%&|^])=(?!=)|\+\+|--)`;
  return new RegExp(String.raw`${before}${word}\s*${operator}|(?:\+\+|--)\s*${word}(?![\w$.\[])`).test(body);
}

/**
 * Whether it may be right: properties are used, other than those of `draft = draft.filter()`, as when a function walks
 * along a list; or the body declares another variable of that name.
 */
function hasOtherUse(name: string, body: string): boolean {
  const word = String.raw`(?<![\w$.])${name.replaceAll("$", "\\$")}(?![\w$])`;
  const rest = body.replaceAll(new RegExp(String.raw`(${word}\s*=\s*)${word}`, "g"), "$1");
  const property = String.raw`${word}\s*(?:\?\.|\.|\[)`;
  const declared = String.raw`\b(?:let|const|var|catch|function)\b[^;]*?${word}`;
  const parameter = String.raw`(?:${word}|\([^()]*${word}[^()]*\))\s*(?:=>|\{)`;
  return new RegExp(`${property}|${declared}|${parameter}`).test(rest.replace(/^\s*=>/, ""));
}

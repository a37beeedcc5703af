// What the pages do in the browser. The search: every word that is typed must occur in a section, and words of its heading count
// most. Sections with another form of a word come after those: "limiting" also finds "limit". The index is loaded when the
// search is opened for the first time.
/* global document, window, location */

const base = document.documentElement.dataset.base;
const limit = 30;
const excerptLength = 160;

const dialog = document.createElement("dialog");
dialog.className = "search";
dialog.setAttribute("aria-label", "Search");
dialog.innerHTML =
  '<input type="text" inputmode="search" placeholder="Search the docs and the API" aria-label="Search" autocomplete="off" spellcheck="false">' +
  '<p role="status"></p><ol></ol>';
const [input, status, list] = dialog.children;

const trigger = document.createElement("button");
trigger.className = "search-trigger";
trigger.type = "button";
trigger.textContent = "Search";
trigger.addEventListener("click", open);

window.app?.showPage(); // typedoc would wait for its own menu
showCurrentInMenu();
document.querySelector("#tsd-toolbar-links").before(trigger);
document.body.append(dialog);
input.addEventListener("input", show);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("a") !== null) dialog.close();
});
dialog.addEventListener("keydown", move);
// Before typedoc's own listener, whose search this one replaces.
document.addEventListener("keydown", openByKey, { capture: true });

/** Scrolls the menu, not the page. */
function showCurrentInMenu() {
  const menu = document.querySelector(".site-menu");
  const current = menu?.querySelector("a[aria-current]");
  if (!current) return;
  const below = current.getBoundingClientRect().bottom - menu.getBoundingClientRect().bottom;
  if (below > 0) menu.scrollTop += below + menu.clientHeight / 2;
}

function openByKey(event) {
  const isTyping = event.target.closest?.("input, textarea, select") !== null;
  const isKey = (event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !isTyping);
  if (!isKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  open();
}

function open() {
  if (!dialog.open) dialog.showModal();
  input.select();
  if (window.holdfastSearch !== undefined || document.querySelector("#search-index") !== null) return;
  const script = document.createElement("script");
  script.id = "search-index";
  script.src = `${base}assets/search-index.js`;
  script.addEventListener("load", show);
  script.addEventListener("error", () => {
    status.textContent = "The search index could not be loaded.";
    script.remove();
  });
  document.head.append(script);
}

function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  list.replaceChildren();
  if (words.length === 0 || window.holdfastSearch === undefined) {
    status.textContent = words.length === 0 ? "" : "Loading …";
    return;
  }
  const stems = words.map(stemOf);
  const exact = entriesWith(words);
  const others = entriesWith(stems).filter((entry) => !exact.includes(entry));
  const items = [
    ...exact.map((entry) => itemOf(entry, words)),
    ...others.map((entry) => itemOf(entry, stems)),
  ];
  status.textContent = items.length === 0 ? "Nothing found." : "";
  list.append(...items.slice(0, limit));
}

/** Best first. */
function entriesWith(words) {
  return window.holdfastSearch
    .map((entry) => ({ entry, score: scoreOf(entry, words) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
    .map(({ entry }) => entry);
}

/** Without the commonest endings. */
function stemOf(word) {
  return word.length < 6 ? word : word.replace(/(?:ing|ed|e?s)$/, "");
}

/** 0: a word is missing. */
function scoreOf(entry, words) {
  entry.lowerTitle ??= entry.title.toLowerCase();
  entry.lowerText ??= `${entry.where} ${entry.text}`.toLowerCase();
  let score = entry.rank * 6 + (entry.where === "" ? 3 : 0);
  for (const word of words) {
    const inTitle = scoreIn(entry.lowerTitle, word) * 4;
    const inText = scoreIn(entry.lowerText, word);
    if (inTitle + inText === 0) return 0;
    score += inTitle + inText;
  }
  const phrase = words.join(" ");
  const isName = [phrase, `${phrase}s`].includes(entry.lowerTitle) || entry.lowerTitle.endsWith(`.${phrase}`);
  if (isName && entry.rank > 0) score += 40;
  if (words.length > 1 && entry.lowerText.includes(phrase)) score += 6;
  if (words.length > 1 && entry.lowerTitle.includes(phrase)) score += 12;
  return score;
}

/** A word at the beginning of one counts more than within one, where a short one counts nothing, and often more than once. */
function scoreIn(text, word) {
  const within = word.length < 5 ? 0 : 1;
  let score = 0;
  for (let at = text.indexOf(word); at !== -1 && score < 10; at = text.indexOf(word, at + word.length))
    score += /[\p{L}\p{N}]/u.test(text[at - 1] ?? " ") ? within : 3;
  return score;
}

function itemOf(entry, words) {
  const link = document.createElement("a");
  link.href = base + entry.url;
  const title = document.createElement("strong");
  const where = document.createElement("small");
  const excerpt = document.createElement("span");
  title.append(...marked(entry.title, words));
  where.textContent = entry.where;
  excerpt.append(...marked(excerptOf(entry.text, words), words));
  link.append(title, " ", where, excerpt);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

function excerptOf(text, words) {
  const lower = text.toLowerCase();
  const at = lower.indexOf([words.join(" "), ...words].find((word) => lower.includes(word)) ?? "");
  const from = at < excerptLength / 2 ? 0 : text.indexOf(" ", at - excerptLength / 3) + 1;
  const cut = text.slice(from, from + excerptLength);
  return `${from > 0 ? "… " : ""}${cut}${from + excerptLength < text.length ? " …" : ""}`;
}

function marked(text, words) {
  const pattern = words.map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  return text.split(new RegExp(`(${pattern})`, "gi")).map((part, index) => {
    if (index % 2 === 0) return part;
    const mark = document.createElement("mark");
    mark.textContent = part;
    return mark;
  });
}

/** The arrows go from result to result; Enter in the field opens the first. */
function move(event) {
  const links = [...list.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown") (links[at + 1] ?? links[at])?.focus();
  else if (event.key === "ArrowUp") (at <= 0 ? input : links[at - 1]).focus();
  else if (event.key === "Enter" && at === -1 && links[0] !== undefined) {
    dialog.close();
    location.assign(links[0].href);
  } else return;
  event.preventDefault();
}

// What the tests ask of a page, in the browser.
/* global window, document, getComputedStyle */

window.siteTest = { widthOverflow, weakTexts };

/** What makes the page wider than the window: the first few elements that stick out. Empty: nothing does. */
function widthOverflow() {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > width + 1)
    .slice(0, 3)
    .map((element) => `${element.tagName}.${element.className}: ${element.textContent?.slice(0, 40)}`);
}

/** Texts whose contrast with what is behind them is below 4.5, the limit of WCAG AA. */
function weakTexts() {
  const places =
    ".col-content :is(h1, h2, h3, p, li, td, th, a, code, code span), .menu a, .tsd-page-toolbar a";
  const weak = new Map();
  const seen = new Set(); // code has thousands of parts of the same few kinds
  for (const element of document.querySelectorAll(places)) {
    const ownText = [...element.childNodes].find((node) => node.nodeType === 3 && node.data.trim() !== "");
    if (ownText === undefined || element.closest("svg, button") !== null) continue;
    const kind = `${element.tagName}.${element.className} ${element.parentElement.tagName}.${element.parentElement.className}`;
    if (seen.has(kind)) continue;
    seen.add(kind);
    const [text, behind] = [partsOf(getComputedStyle(element).color), backgroundOf(element)];
    const ratio = contrast(text, behind);
    if (ratio < 4.5)
      weak.set(`${text} on ${behind}`, `${ratio.toFixed(1)}: ${ownText.data.trim().slice(0, 40)}`);
  }
  return [...weak].map(([colors, where]) => `${colors} ${where}`);
}

function backgroundOf(element) {
  for (let at = element; at !== null; at = at.parentElement) {
    const parts = partsOf(getComputedStyle(at).backgroundColor);
    if ((parts[3] ?? 1) === 1) return parts;
  }
  return [255, 255, 255];
}

function partsOf(color) {
  return (color.match(/[\d.]+/g) ?? []).map(Number);
}

function contrast(one, other) {
  const [lighter, darker] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(parts) {
  const [red, green, blue] = parts
    .slice(0, 3)
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

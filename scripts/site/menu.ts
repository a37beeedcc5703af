// The menu as HTML, the same on every page but for what is open: the pages in the order of navigation.ts, and the API
// between those for users and those for contributors. It is part of the page, so that it is there without a script.

import { menuTitle, type Section } from "./navigation.ts";

export interface MenuLink {
  readonly text: string;
  /** From the root of the site. */
  readonly url: string;
}

export interface ApiModule extends MenuLink {
  readonly members: readonly MenuLink[];
}

export interface MenuOptions {
  readonly sections: readonly Section[];
  readonly api: readonly ApiModule[];
  /** The page that the menu is for, from the root of the site. */
  readonly url: string;
  /** Leads from that page to the root: "../". */
  readonly base: string;
}

export function menuHtml({ sections, api, url, base }: MenuOptions): string {
  const list = (links: readonly MenuLink[]): string =>
    `<ul>${links.map((link) => `<li>${anchor(link, url, base)}</li>`).join("")}</ul>`;
  const pages = (kind: Section["for"]): string =>
    sections
      .filter((section) => section.for === kind)
      .map((section) => {
        const links = section.pages.map((page) => ({ text: menuTitle(page), url: `${page.path}.html` }));
        if (section.title === undefined) return list(links);
        const isOpen = links.some((link) => link.url === url);
        return section.folded
          ? folded(section.title, list(links), isOpen)
          : heading(section.title) + list(links);
      })
      .join("");
  const modules = api.map((module) => {
    const isOpen = module.url === url || module.members.some((member) => member.url === url);
    return `<li>${anchor(module, url, base)}${isOpen ? list(module.members) : ""}</li>`;
  });
  const reference = `${heading("API")}<ul>${modules.join("")}</ul>`;
  return `<nav class="menu" aria-label="Pages">${pages("users")}${reference}${pages("contributors")}</nav>`;
}

function heading(text: string): string {
  return `<h2>${escapeText(text)}</h2>`;
}

function folded(title: string, content: string, isOpen: boolean): string {
  return `<details${isOpen ? " open" : ""}><summary>${escapeText(title)}</summary>${content}</details>`;
}

function anchor(link: MenuLink, current: string, base: string): string {
  const mark = link.url === current ? ' aria-current="page"' : "";
  return `<a href="${base}${link.url}"${mark}>${escapeText(link.text)}</a>`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

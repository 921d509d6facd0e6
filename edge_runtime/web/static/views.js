// @ts-check
/** Which part of the page is shown, by the address's hash: `#live`, `#holter/SESSION`, `#devices`. The banner
 * and the alarm line stand above all of them. */

import { byId } from "./dom.js";

const VIEWS = ["live", "holter", "devices", "settings"];

/** @type {Map<string, (about: string) => void>} */
const openers = new Map();
let shown = "live";

/** What to do when a view is opened, or its words change.
 * @param {string} view @param {(about: string) => void} open */
export function onView(view, open) {
  openers.set(view, open);
}

export function currentView() {
  return shown;
}

/** The view of the address; of an address within a view, as the skip link's, the one that is shown. */
export function showView() {
  const [name, about = ""] = location.hash.slice(1).split("/");
  if (VIEWS.includes(name)) shown = name;
  for (const view of VIEWS) {
    byId(`view-${view}`).hidden = view !== shown;
    const link = byId(`to-${view}`);
    if (view === shown) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  openers.get(shown)?.(VIEWS.includes(name) ? decodeURIComponent(about) : "");
}

addEventListener("hashchange", showView);

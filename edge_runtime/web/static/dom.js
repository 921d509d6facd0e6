// @ts-check
/** Small ways to the document. Text is always set as text: nothing from a device becomes markup. */

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  return /** @type {T} */ (document.getElementById(id));
}

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Names and values of a <dl>.
 * @param {HTMLElement} list
 * @param {[string, string][]} rows
 */
export function describe(list, rows) {
  const wanted = rows.flat();
  const shown = [...list.children].map((child) => child.textContent);
  if (wanted.length === shown.length && wanted.every((text, i) => text === shown[i])) return;
  list.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** @param {string | number} time ISO 8601 or milliseconds; the reader's own clock time */
export function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour12: false });
}

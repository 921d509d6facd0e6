// @ts-check
/** Sessions in the store, and their export. */

import { byId, make } from "./dom.js";
import { post } from "./login.js";
import { say } from "./words.js";

const SHOWN = 10;
const LONGEST_S = 300;
const ENDINGS = { pdf: "pdf", holter: "holter.pdf", edf: "edf", csv: "csv", "fhir-r4": "json", "fhir-r5": "json" };

/** @typedef {{session: string, source: string, started: string, ended: string | null, rhythms: string[]}} Stored */

export async function showRecordings() {
  let answer;
  try {
    answer = await fetch(`api/v1/sessions?limit=${SHOWN}`);
  } catch {
    return; // the banner says that the daemon is gone; the list stays as it was
  }
  if (!answer.ok) return;
  /** @type {{sessions: Stored[]}} */
  const { sessions } = await answer.json();
  const newest = sessions.find((one) => !one.ended);
  byId("no-rhythm-model").hidden = !newest || newest.rhythms.length > 0;
  byId("session-list").replaceChildren(...sessions.map(row));
}

/** @param {Stored} one */
function row(one) {
  const when = new Date(one.started).toLocaleString();
  const button = make("button", { type: "button", "aria-label": say("export_of", { t: when }) }, say("export"));
  button.addEventListener("click", () => {
    const format = /** @type {keyof typeof ENDINGS} */ (/** @type {HTMLSelectElement} */ (byId("export-format")).value);
    save(one.session, { format, to_s: LONGEST_S }, byId("export-answer"));
  });
  const holter = make("a", { href: `#holter/${encodeURIComponent(one.session)}`, "aria-label": say("holter_of", { t: when }) }, "Holter");
  const state = one.ended ? "" : ` · ${say("running")}`;
  return make("li", {}, make("span", { class: "when" }, `${when} · ${one.source}${state}`), holter, button);
}

/** Save a file that the daemon makes. @param {string} session
 * @param {{format: keyof typeof ENDINGS} & Record<string, string | number>} order
 * @param {HTMLElement} told where to say how it went */
export async function save(session, order, told) {
  told.textContent = say("exporting");
  const answer = await post(`sessions/${encodeURIComponent(session)}/export`, order);
  if (!answer.ok) {
    told.textContent = (await answer.json()).error;
    return;
  }
  const name = `${session}.${ENDINGS[order.format]}`;
  const link = /** @type {HTMLAnchorElement} */ (make("a", { download: name }));
  link.href = URL.createObjectURL(await answer.blob());
  link.click();
  URL.revokeObjectURL(link.href);
  told.textContent = say("exported", { f: name });
}

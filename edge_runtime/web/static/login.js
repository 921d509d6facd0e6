// @ts-check
/** Logging in, and what one may do then. */

import { byId } from "./dom.js";
import { say } from "./words.js";

/** @type {{name: string | null, role: string | null}} */
let who = { name: null, role: null };

const ROLES = ["view", "acknowledge", "administer"];

/** Whether whoever is logged in has this role. @param {string} role */
export function may(role) {
  return who.role !== null && ROLES.indexOf(who.role) >= ROLES.indexOf(role);
}

/**
 * @param {string} path
 * @param {object} body
 */
export async function post(path, body) {
  return fetch(`api/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export function showWho() {
  byId("login").textContent = who.name ? `${say("log_out")} (${who.name})` : say("log_in");
  byId("mark-form").hidden = !may("acknowledge");
  document.dispatchEvent(new Event("who"));
}

/** @param {() => string | null} chosenSource */
export async function prepareLogin(chosenSource) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("login-dialog"));
  const name = /** @type {HTMLInputElement} */ (byId("login-name"));
  const password = /** @type {HTMLInputElement} */ (byId("login-password"));
  byId("login").addEventListener("click", async () => {
    if (who.name) {
      await post("logout", {});
      who = { name: null, role: null };
      showWho();
    } else dialog.showModal();
  });
  byId("login-cancel").addEventListener("click", () => dialog.close());
  byId("login-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await post("login", { name: name.value, password: password.value });
    const said = await answer.json();
    password.value = "";
    byId("login-answer").textContent = answer.ok ? "" : said.error;
    if (!answer.ok) return;
    who = said;
    showWho();
    dialog.close();
  });
  byId("mark-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = /** @type {HTMLInputElement} */ (byId("mark-text"));
    const source = chosenSource();
    if (!source) return;
    const answer = await post(`sources/${encodeURIComponent(source)}/marks`, { text: text.value });
    byId("mark-answer").textContent = answer.ok ? say("marked") : (await answer.json()).error;
    if (answer.ok) text.value = "";
  });
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", location.pathname); // it is used up
    await post("login/code", { code });
  }
  const answer = await fetch("api/v1/who");
  if (answer.ok) who = await answer.json();
  showWho();
}

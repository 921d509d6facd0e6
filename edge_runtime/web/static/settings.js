// @ts-check
/** Settings: a form of every key that may be changed, with its bounds, a preview and what a change did. */

import { byId, make } from "./dom.js";
import { may, post } from "./login.js";
import { sayGroup, sayKey, sayUnit, sayValue } from "./setting_words.js";
import { say } from "./words.js";

/** @typedef {boolean | number | string | null} Value */
/** @typedef {{key: string, kind: string, value: Value, default: Value, low: number | null, high: number | null,
 *   choices: Value[], may_be_empty: boolean, origin: string, effect: string}} Setting */

const EFFECTS = { "at once": "effect_live", "its source is opened anew": "effect_source", "at the next start": "effect_restart" };

/** @type {Map<string, Setting>} */
let settings = new Map();
/** What was changed here and is not saved. @type {Map<string, Value>} */
const changed = new Map();
/** Groups that are unfolded. @type {Set<string>} */
const unfolded = new Set();

export function prepareSettings() {
  byId("settings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  byId("settings-preview").addEventListener("click", tryChanges);
  byId("settings-discard").addEventListener("click", () => {
    changed.clear();
    showSettings();
  });
  document.addEventListener("who", () => {
    if (!byId("view-settings").hidden) showSettings();
  });
}

/** The view is opened, its words changed, or somebody logged in or out. */
export async function showSettings() {
  const answer = await fetch("api/v1/settings");
  const said = await answer.json();
  byId("settings-hint").textContent = answer.ok ? say(may("administer") ? "settings_hint" : "settings_need_login") : said.error;
  settings = new Map((said.settings ?? []).map((/** @type {Setting} */ one) => [one.key, one]));
  draw();
}

function draw() {
  const groups = new Map();
  for (const one of settings.values()) {
    const group = one.key.split(".").slice(0, -1).join(".");
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  byId("settings-groups").replaceChildren(...[...groups].map(([group, members]) => {
    const details = /** @type {HTMLDetailsElement} */ (make("details", {}, make("summary", {}, sayGroup(group)), ...members.map(field)));
    details.open = unfolded.has(group);
    details.addEventListener("toggle", () => (details.open ? unfolded.add(group) : unfolded.delete(group)));
    return details;
  }));
  byId("settings-tried").replaceChildren();
  showState();
}

/** One key: its name, the control, where its value comes from. @param {Setting} one */
function field(one) {
  const id = `setting-${one.key}`;
  const fixed = !may("administer") || one.origin === "command line";
  const control = controlOf(one, id);
  control.toggleAttribute("disabled", fixed);
  control.setAttribute("aria-describedby", `${id}-note`);
  control.addEventListener("input", () => change(one, control));
  const bounds = one.low === null ? "" : say("from_to", { a: one.low, b: one.high ?? "" });
  const note = [bounds, origin(one), say(EFFECTS[/** @type {keyof typeof EFFECTS} */ (one.effect)])].filter(Boolean).join(" · ");
  const row = make("div", { class: "setting" }, make("label", { for: id }, sayKey(one.key)), control,
    make("span", { class: "unit" }, one.kind === "choice" ? "" : sayUnit(one.key)), make("span", { class: "note", id: `${id}-note` }, note));
  if (one.origin === "saved" && !fixed) {
    const back = make("button", { type: "button", "aria-label": `${say("setting_back")}: ${sayKey(one.key)}` }, say("setting_back"));
    back.addEventListener("click", () => {
      changed.set(one.key, null);
      save();
    });
    row.append(back);
  }
  return row;
}

/** @param {Setting} one @param {string} id */
function controlOf(one, id) {
  const value = changed.has(one.key) ? (changed.get(one.key) ?? null) : one.value;
  if (one.kind === "switch") {
    const box = /** @type {HTMLInputElement} */ (make("input", { id, type: "checkbox" }));
    box.checked = value === true;
    return box;
  }
  if (one.kind === "choice") {
    const select = /** @type {HTMLSelectElement} */ (make("select", { id }, ...one.choices.map((choice) =>
      make("option", { value: JSON.stringify(choice) }, sayValue(one.key, choice ?? "")))));
    select.value = JSON.stringify(value);
    return select;
  }
  const input = /** @type {HTMLInputElement} */ (make("input", { id, type: one.kind === "text" ? "text" : "number" }));
  if (one.kind !== "text") input.step = one.kind === "whole" ? "1" : "any";
  if (one.low !== null) input.min = String(one.low);
  if (one.high !== null) input.max = String(one.high);
  input.required = !one.may_be_empty;
  input.placeholder = one.may_be_empty ? say("by_profile") : "";
  input.value = value === null ? "" : String(value);
  return input;
}

/** @param {Setting} one */
function origin(one) {
  if (one.origin === "default") return "";
  const standard = one.default === null ? say("by_profile") : sayValue(one.key, one.default);
  const from = { file: "origin_file", saved: "origin_saved", "command line": "origin_command_line" }[one.origin] ?? one.origin;
  return `${say(from)}, ${say("usually", { v: standard })}`;
}

/** @param {Setting} one @param {HTMLElement} control */
function change(one, control) {
  /** @type {Value} */
  let value;
  if (control instanceof HTMLSelectElement) value = JSON.parse(control.value);
  else if (!(control instanceof HTMLInputElement)) return;
  else if (one.kind === "switch") value = control.checked;
  else if (one.kind === "text") value = control.value;
  else value = control.value === "" ? null : Number(control.value);
  if (value === one.value) changed.delete(one.key);
  else changed.set(one.key, value);
  byId("settings-tried").replaceChildren();
  showState();
}

function showState() {
  const any = changed.size > 0 && may("administer");
  for (const id of ["settings-save", "settings-preview", "settings-discard"]) byId(id).toggleAttribute("disabled", !any);
  const words = [...changed].map(([key, value]) => {
    const shown = value == null ? say("by_profile") : sayValue(key, value);
    return make("li", {}, `${sayGroup(key.split(".").slice(0, -1).join("."))}: ${sayKey(key)} → ${shown}`);
  });
  byId("settings-changed").replaceChildren(...words);
}

function order() {
  return { changes: Object.fromEntries(changed) };
}

async function tryChanges() {
  const told = byId("settings-answer");
  if (!(/** @type {HTMLFormElement} */ (byId("settings-form"))).reportValidity()) return;
  told.textContent = say("trying");
  const answer = await post("settings/preview", order());
  const said = await answer.json();
  told.textContent = answer.ok ? say("tried_on", { h: said.hours.toFixed(1) }) : said.error;
  if (!answer.ok) return;
  const rows = said.rules.map((/** @type {{rule: string, now: number, then: number}} */ one) =>
    make("tr", one.now === one.then ? {} : { class: "total" }, make("th", { scope: "row" }, sayGroup(`rules.${one.rule}`)),
      make("td", {}, String(one.now)), make("td", {}, String(one.then))));
  if (!rows.length) rows.push(make("tr", {}, make("td", { colspan: "3" }, say("no_alarm_with_either"))));
  const head = make("tr", {}, ...["rule", "alarms_now", "alarms_then"].map((word) => make("th", { scope: "col" }, say(word))));
  byId("settings-tried").replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  byId("settings-tried").scrollIntoView({ block: "nearest" });
}

async function save() {
  const told = byId("settings-answer");
  if (!(/** @type {HTMLFormElement} */ (byId("settings-form"))).reportValidity()) return;
  const answer = await post("settings", order());
  const said = await answer.json();
  if (!answer.ok) {
    told.textContent = said.error;
    return;
  }
  changed.clear();
  await showSettings();
  const later = said.changes.some((/** @type {{effect: string}} */ one) => one.effect === "at the next start");
  told.textContent = say(later ? "settings_saved_later" : "settings_saved");
  told.scrollIntoView({ block: "nearest" });
}

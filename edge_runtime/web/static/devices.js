// @ts-check
/** Every source's device in a table: what it is, how it is, how its clock runs. */

import { byId, make } from "./dom.js";
import { may, post } from "./login.js";
import { currentView } from "./views.js";
import { say, sayQuality } from "./words.js";

const EVERY_MS = 2000;

/** @type {() => Iterable<import("./source.js").Source>} */
let known = () => [];
/** What only administrators are told: port and serial, by source. @type {Map<string, {port: string, serial: string}>} */
let details = new Map();

/** @param {() => Iterable<import("./source.js").Source>} sources */
export function prepareDevices(sources) {
  known = sources;
  setInterval(() => {
    if (currentView() === "devices") draw();
  }, EVERY_MS);
  document.addEventListener("who", () => {
    if (currentView() === "devices") showDevices();
  });
}

/** The view is opened, its words changed, or somebody logged in or out. */
export async function showDevices() {
  details = new Map();
  draw();
  await Promise.all([askDetails(), showPhones()]);
  draw();
}

async function askDetails() {
  if (!may("administer")) return;
  const answer = await fetch("api/v1/devices");
  if (!answer.ok) return;
  const { devices } = await answer.json();
  details = new Map(devices.map((/** @type {any} */ one) => [one.source, one]));
}

function draw() {
  const rows = [...known()].map(row);
  byId("device-rows").replaceChildren(...rows);
  byId("no-devices").hidden = rows.length > 0;
}

/** @param {import("./source.js").Source} source */
function row(source) {
  const status = source.status;
  const detail = details.get(source.name);
  const lost = source.lostSince !== null || !status;
  /** @type {[string, string][]} */
  const cells = [
    ["state", lost ? say("not_monitoring") : say(status.availability)],
    ["model", [status?.family, status?.model, status?.firmware].filter(Boolean).join(", ") || say("unknown")],
    ["connection", [detail?.port, detail?.serial].filter(Boolean).join(", ") || "–"],
    ["battery", percent(status?.battery_percent)],
    ["quality", [sayQuality(status?.quality ?? ""), status?.quality_reason].filter(Boolean).join(": ")],
    ["contact", status?.contact == null ? say("unknown") : say(status.contact ? "contact_yes" : "contact_no")],
    ["gaps", status ? say("lost", { n: status.gaps, s: status.missing_s.toFixed(1) }) : "–"],
    ["clock_error", status?.clock_error_ppm == null ? "–" : `${status.clock_error_ppm.toFixed(1)} ppm`],
    ["clock_jitter", status?.clock_jitter_ms == null ? "–" : `${status.clock_jitter_ms.toFixed(1)} ms`],
    ["last_sample", source.age == null ? "–" : say("seconds_ago", { s: source.age.toFixed(1) })],
  ];
  return make("tr", {}, make("th", { scope: "row" }, source.name),
    ...cells.map(([word, text]) => make("td", { "data-name": say(word) }, text)));
}

/** @param {number | null | undefined} value */
function percent(value) {
  return value == null ? say("unknown") : `${value.toFixed(0)} %`;
}

/** Who is notified, with a button that tries it. */
async function showPhones() {
  const answer = await fetch("api/v1/phones");
  const { phones } = answer.ok ? await answer.json() : { phones: [] };
  byId("phones").hidden = !phones.length;
  byId("phone-list").replaceChildren(...phones.map((/** @type {string} */ name) => {
    const button = make("button", { type: "button", "aria-label": say("test_of", { n: name }) }, say("send_test"));
    button.toggleAttribute("disabled", !may("administer"));
    button.addEventListener("click", () => tryPhone(name));
    return make("li", {}, make("span", { class: "when" }, name), button);
  }));
}

/** @param {string} name */
async function tryPhone(name) {
  const told = byId("phone-answer");
  told.textContent = say("sending");
  const answer = await post(`phones/${encodeURIComponent(name)}/test`, {});
  told.textContent = answer.ok ? say("test_sent", { n: name }) : (await answer.json()).error;
}

// @ts-check
/** A recording in numbers: by the hour, and with the places that are worth a look. */

import { byId, describe, make } from "./dom.js";
import { colour, sharp } from "./paper.js";
import { save } from "./recordings.js";
import { say, spoken } from "./words.js";

/** @typedef {{analysed_s: number, lost_s: number, beats: number, lowest_bpm: number | null,
 *   mean_bpm: number | null, highest_bpm: number | null, ventricular: number,
 *   supraventricular: number, ventricular_per_h: number | null,
 *   supraventricular_per_h: number | null, ventricular_couplets: number, ventricular_runs: number,
 *   supraventricular_couplets: number, supraventricular_runs: number, pauses: number,
 *   longest_rr_s: number | null, sdnn_ms: number | null, rmssd_ms: number | null,
 *   af_s: number | null, af_burden: number | null}} Figures */
/** @typedef {{time: string, figures: Figures}} Hour */
/** @typedef {{kind: string, value: number, time: string, from_s: number, to_s: number}} Moment */
/** @typedef {{session: string, source: string, started: string, figures: Figures,
 *   days: {date: string, figures: Figures, hours: Hour[]}[], moments: Moment[]}} Holter */

const LEFT = 34;
const BOTTOM = 20;
const ECTOPY = 46;

/** Show `session`, or the newest one where it is empty. @param {string} session */
export async function showHolter(session) {
  const select = /** @type {HTMLSelectElement} */ (byId("holter-session"));
  const told = byId("holter-state");
  let answer;
  try {
    const listed = await fetch("api/v1/sessions?limit=100");
    const sessions = listed.ok ? (await listed.json()).sessions : [];
    select.replaceChildren(...sessions.map((/** @type {import("./recordings.js").Stored} */ one) =>
      make("option", { value: one.session }, `${new Date(one.started).toLocaleString()} · ${one.source}${one.ended ? "" : ` · ${say("running")}`}`)));
    if (session) select.value = session;
    const chosen = select.value;
    byId("holter-body").hidden = true;
    told.textContent = say(chosen ? "holter_counting" : "holter_none");
    if (!chosen) return;
    const ahead = -new Date(sessions.find((/** @type {any} */ one) => one.session === chosen).started).getTimezoneOffset();
    answer = await fetch(`api/v1/sessions/${encodeURIComponent(chosen)}/holter?offset_min=${ahead}`);
    if (chosen !== select.value) return; // another one was asked for meanwhile
    const said = await answer.json();
    told.textContent = answer.ok ? say("holter_note") : said.error;
    if (answer.ok) draw(said);
  } catch {
    told.textContent = say("no_contact");
  }
}

/** @param {Holter} holter */
function draw(holter) {
  byId("holter-body").hidden = false;
  describe(byId("holter-figures"), rows(holter.figures));
  const hours = holter.days.flatMap((day) => day.hours);
  plot(hours);
  const lines = holter.days.flatMap((day) => [
    ...day.hours.map((hour) => line(hour.time.slice(0, 16).replace("T", " "), hour.figures, "")),
    line(`${day.date} ${say("all_day")}`, day.figures, "total"),
  ]);
  byId("holter-rows").replaceChildren(...lines);
  byId("holter-moments").replaceChildren(...holter.moments.map((one) => moment(holter.session, one)));
  byId("holter-no-moments").hidden = holter.moments.length > 0;
}

/** @param {number | null} value @param {number} [digits] */
function number(value, digits = 0) {
  return value === null ? "–" : value.toFixed(digits);
}

/** @param {Figures} one @returns {[string, string][]} */
function rows(one) {
  const ectopy = (/** @type {number} */ n, /** @type {number | null} */ rate, /** @type {number} */ couplets, /** @type {number} */ runs) =>
    say("holter_ectopy", { n, r: number(rate, 1), c: couplets, u: runs });
  return [
    [say("holter_analysed"), say("holter_hours", { h: number(one.analysed_s / 3600, 2), l: number(one.lost_s / 3600, 2) })],
    [say("heart_rate"), say("holter_rate", { a: number(one.lowest_bpm), m: number(one.mean_bpm), b: number(one.highest_bpm) })],
    [say("beats"), String(one.beats)],
    ["V", ectopy(one.ventricular, one.ventricular_per_h, one.ventricular_couplets, one.ventricular_runs)],
    ["S", ectopy(one.supraventricular, one.supraventricular_per_h, one.supraventricular_couplets, one.supraventricular_runs)],
    [say("holter_pauses"), say("holter_pause", { n: one.pauses, s: number(one.longest_rr_s, 2) })],
    [say("holter_af"), one.af_s === null ? say("holter_af_unknown") : say("holter_af_for", { m: number(one.af_s / 60, 1), p: number(one.af_burden === null ? null : 100 * one.af_burden, 1) })],
    ["SDNN, RMSSD", `${number(one.sdnn_ms)} ms, ${number(one.rmssd_ms)} ms`],
  ];
}

/** @param {string} when @param {Figures} one @param {string} kind */
function line(when, one, kind) {
  const cells = [
    number(one.analysed_s / 60), String(one.beats), number(one.lowest_bpm), number(one.mean_bpm), number(one.highest_bpm),
    String(one.ventricular), String(one.supraventricular), String(one.ventricular_couplets + one.supraventricular_couplets),
    String(one.ventricular_runs + one.supraventricular_runs), String(one.pauses),
  ];
  return make("tr", kind ? { class: kind } : {}, make("th", { scope: "row" }, when), ...cells.map((text) => make("td", {}, text)));
}

/** @param {string} session @param {Moment} one */
function moment(session, one) {
  const what = say(one.kind, { v: +one.value.toFixed(2) });
  const when = one.time.slice(0, 19).replace("T", " ");
  const button = make("button", { type: "button", "aria-label": `${say("holter_strip")}: ${what}, ${when}` }, say("holter_strip"));
  button.addEventListener("click", () => save(session, { format: "pdf", from_s: one.from_s, to_s: one.to_s }, byId("holter-answer")));
  return make("li", {}, make("span", { class: "when" }, `${when} · ${what}`), button);
}

/** Mean rate in its range, and ectopic beats, each hour. @param {Hour[]} hours */
function plot(hours) {
  const canvas = /** @type {HTMLCanvasElement} */ (byId("holter-plot"));
  const { context, width, height } = sharp(canvas);
  const base = height - BOTTOM;
  const slot = (width - LEFT) / Math.max(1, hours.length);
  const bar = Math.min(26, slot * 0.7);
  const top = Math.ceil(Math.max(120, ...hours.map((one) => one.figures.highest_bpm ?? 0)) / 20) * 20;
  const y = (/** @type {number} */ bpm) => base - ECTOPY - 6 - ((bpm - 20) / (top - 20)) * (base - ECTOPY - 14);
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.strokeStyle = colour("line");
  context.fillStyle = colour("quiet");
  context.textAlign = "right";
  for (let bpm = 40; bpm <= top; bpm += 40) {
    context.fillRect(LEFT, y(bpm), width - LEFT, 0.5);
    context.fillText(String(bpm), LEFT - 6, y(bpm) + 4);
  }
  context.fillText("V, S", LEFT - 6, base - 2);
  context.fillRect(LEFT, base, width - LEFT, 0.5);
  const most = Math.max(10, ...hours.map((one) => one.figures.ventricular + one.figures.supraventricular));
  const every = Math.max(1, Math.ceil(44 / slot));
  context.textAlign = "center";
  hours.forEach(({ time, figures }, n) => {
    const x = LEFT + (n + 0.5) * slot;
    context.fillStyle = colour("accent");
    if (figures.lowest_bpm !== null && figures.highest_bpm !== null) {
      context.globalAlpha = 0.35;
      context.fillRect(x - bar / 2, y(figures.highest_bpm), bar, Math.max(1, y(figures.lowest_bpm) - y(figures.highest_bpm)));
      context.globalAlpha = 1;
    }
    if (figures.mean_bpm !== null) context.fillRect(x - bar / 2, y(figures.mean_bpm) - 2, bar, 4);
    const v = (figures.ventricular / most) * (ECTOPY - 12);
    const s = (figures.supraventricular / most) * (ECTOPY - 12);
    context.fillStyle = colour("beat-v");
    context.fillRect(x - bar / 2, base - v, bar, v);
    context.fillStyle = colour("beat-s");
    context.fillRect(x - bar / 2, base - v - s, bar, s);
    context.fillStyle = colour("quiet");
    if (n % every === 0) context.fillText(time.slice(11, 16), x, height - 5);
  });
}

/** Once: what one can do here. */
export function prepareHolter() {
  byId("holter-session").addEventListener("change", (event) => {
    location.hash = `holter/${/** @type {HTMLSelectElement} */ (event.target).value}`;
  });
  byId("holter-report").addEventListener("click", () => {
    const session = /** @type {HTMLSelectElement} */ (byId("holter-session")).value;
    const ahead = -new Date().getTimezoneOffset();
    if (session) save(session, { format: "holter", language: spoken(), offset_min: ahead }, byId("holter-answer"));
  });
}

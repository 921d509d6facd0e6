// @ts-check
/** Heart rate, ectopic beats by the minute, and rhythms, over hours. */

import { byId, clock, make } from "./dom.js";
import { colour, sharp } from "./paper.js";
import { say } from "./words.js";

/** @typedef {{time: string, mean_bpm: number | null, lowest_bpm: number | null,
 *   highest_bpm: number | null, beats: number, supraventricular: number, ventricular: number}} Point */

/** @typedef {{rhythm: string, modelled: boolean, began: string, ended: string | null}} Span */

/** Of which colour a rhythm is; the others are in the accent's. */
const URGENT = ["VFIB", "VT", "ASYS"];
const QUIET = ["N", "NOISE"];
const LISTED = 5;
const LEFT = 34;
const BOTTOM = 20;
const ECTOPY = 46;
const RHYTHMS = 22;
const SHORTEST_MS = 30 * 60_000;

/** @param {Point[]} points oldest first @param {Span[]} spans oldest first */
export function drawTrend(points, spans) {
  const canvas = byId("trend-plot");
  const { context, width, height } = sharp(/** @type {HTMLCanvasElement} */ (canvas));
  context.clearRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = colour("quiet");
  canvas.setAttribute("aria-label", `${say("trend")}. ${points.length ? "" : say("trend_empty")}`);
  table(points);
  listRhythms(spans);
  if (!points.length) {
    context.fillText(say("trend_empty"), LEFT, height / 2);
    return;
  }
  const end = Date.parse(points[points.length - 1].time) + 60_000;
  const begin = Math.min(Date.parse(points[0].time), end - SHORTEST_MS);
  const x = (/** @type {string} */ time) => LEFT + ((Date.parse(time) - begin) / (end - begin)) * (width - LEFT);
  rate(context, points, x, width, height - BOTTOM - RHYTHMS - ECTOPY);
  ectopy(context, points, x, width, height - BOTTOM - RHYTHMS);
  for (const span of spans) {
    const from = Math.max(LEFT, x(span.began));
    const to = span.ended === null ? width : x(span.ended);
    if (to < LEFT) continue;
    const top = height - BOTTOM - RHYTHMS + (span.modelled ? 4 : 13);
    context.fillStyle = colour(URGENT.includes(span.rhythm) ? "high" : QUIET.includes(span.rhythm) ? "line" : "accent");
    context.fillRect(from, top, Math.max(3, to - from), 7);
  }
  context.fillStyle = colour("quiet");
  context.textAlign = "left";
  context.fillText(clock(begin).slice(0, 5), LEFT, height - 5);
  context.textAlign = "right";
  context.fillText(clock(end).slice(0, 5), width - 2, height - 5);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 * @param {(time: string) => number} x
 * @param {number} width
 * @param {number} height
 */
function rate(context, points, x, width, height) {
  const highest = Math.max(120, ...points.map((one) => one.highest_bpm ?? 0));
  const top = Math.ceil(highest / 20) * 20;
  const y = (/** @type {number} */ bpm) => height - 6 - ((bpm - 20) / (top - 20)) * (height - 14);
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.textAlign = "right";
  for (let bpm = 40; bpm <= top; bpm += 40) {
    context.beginPath();
    context.moveTo(LEFT, y(bpm));
    context.lineTo(width, y(bpm));
    context.stroke();
    context.fillText(String(bpm), LEFT - 6, y(bpm) + 4);
  }
  context.strokeStyle = context.fillStyle = colour("accent");
  for (const one of points) {
    if (one.mean_bpm === null || one.lowest_bpm === null || one.highest_bpm === null) continue;
    context.globalAlpha = 0.35;
    context.fillRect(x(one.time), y(one.highest_bpm), 3, Math.max(1, y(one.lowest_bpm) - y(one.highest_bpm)));
    context.globalAlpha = 1;
    context.fillRect(x(one.time) - 1, y(one.mean_bpm) - 2, 5, 4);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 * @param {(time: string) => number} x
 * @param {number} width
 * @param {number} base
 */
function ectopy(context, points, x, width, base) {
  const most = Math.max(10, ...points.map((one) => one.ventricular + one.supraventricular));
  const scale = (ECTOPY - 12) / most;
  context.fillStyle = colour("quiet");
  context.textAlign = "right";
  context.fillText("V, S", LEFT - 6, base - 2);
  for (const one of points) {
    const v = one.ventricular * scale;
    const s = one.supraventricular * scale;
    context.fillStyle = colour("beat-v");
    context.fillRect(x(one.time) - 1, base - v, 4, v);
    context.fillStyle = colour("beat-s");
    context.fillRect(x(one.time) - 1, base - v - s, 4, s);
  }
  context.strokeStyle = colour("line");
  context.beginPath();
  context.moveTo(LEFT, base);
  context.lineTo(width, base);
  context.stroke();
}

/** The newest episodes in words, newest first: the bar tells them by place and length alone.
 * @param {Span[]} spans */
function listRhythms(spans) {
  const lines = [...spans].reverse().slice(0, LISTED).map((one) =>
    `${say(`rhythm_${one.rhythm}`)} (${say(one.modelled ? "by_model" : "by_rule")}) ${clock(one.began)} – ${one.ended === null ? say("now") : clock(one.ended)}`);
  byId("rhythm-list").replaceChildren(...(lines.length ? lines : [say("no_rhythms")]).map((text) => make("li", {}, text)));
}

/** @param {Point[]} points */
function table(points) {
  const text = (/** @type {number | null} */ bpm) => (bpm === null ? "–" : bpm.toFixed(0));
  byId("trend-rows").replaceChildren(
    ...[...points].reverse().slice(0, 240).map((one) =>
      make("tr", {}, ...[
        clock(one.time).slice(0, 5), text(one.mean_bpm), `${text(one.lowest_bpm)}–${text(one.highest_bpm)}`,
        String(one.beats), String(one.supraventricular), String(one.ventricular),
      ].map((cell) => make("td", {}, cell)))),
  );
}

// @ts-check
/** A still piece of ECG on paper. */

import { make } from "./dom.js";
import { NONE, PX_PER_S, PX_PER_UV, colour, drawGrid, median, sharp } from "./paper.js";

const HEIGHT_PX = 190;

/** @typedef {{samples: (number | null)[], first: number, rate: number}} Piece millivolts */

/** What is still in memory; empty where nothing is.
 * @param {string} source @param {string | null} session @param {number} first @param {number} length
 * @param {number} rate @param {number} lead @returns {Promise<Piece>} */
export async function inMemory(source, session, first, length, rate, lead) {
  const answer = await fetch(`api/v1/sources/${encodeURIComponent(source)}/strip?first=${first}&length=${length}`);
  const strip = answer.ok ? await answer.json() : null;
  const samples = strip && strip.session === session ? strip.samples[lead] ?? strip.samples[0] : [];
  return { samples, first, rate };
}

/** The piece as a canvas, true to scale, with a dashed line at one sample.
 * @param {Piece} piece @param {number} at @param {string} label */
export function stripCanvas(piece, at, label) {
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { role: "img", "aria-label": label }));
  canvas.style.width = `${(piece.samples.length / piece.rate) * PX_PER_S}px`;
  canvas.style.height = `${HEIGHT_PX}px`;
  requestAnimationFrame(() => draw(canvas, piece.samples, piece.rate, at - piece.first));
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(number | null)[]} samples millivolts
 * @param {number} rate
 * @param {number} at
 */
function draw(canvas, samples, rate, at) {
  const { context, width, height } = sharp(canvas);
  drawGrid(context, width, height);
  const offset = median(samples.map((value) => (value === null ? NONE : value * 1000)));
  const x = (/** @type {number} */ n) => (n / rate) * PX_PER_S;
  context.strokeStyle = colour("high");
  context.setLineDash([6, 4]);
  context.beginPath();
  context.moveTo(x(at), 0);
  context.lineTo(x(at), height);
  context.stroke();
  context.setLineDash([]);
  context.strokeStyle = colour("trace");
  context.lineWidth = 1.4;
  context.beginPath();
  let pen = false;
  samples.forEach((value, n) => {
    if (value === null) pen = false;
    else {
      const y = height / 2 - (value * 1000 - offset) * PX_PER_UV;
      if (pen) context.lineTo(x(n), y);
      else context.moveTo(x(n), y);
      pen = true;
    }
  });
  context.stroke();
}

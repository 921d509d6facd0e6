// @ts-check
/**
 * The live sweep: a line that runs from left to right and wipes what it comes to. Only what is new
 * is drawn, so a frame costs little, and every sample is drawn once.
 */

import { NONE, PX_PER_S, PX_PER_UV, colour, drawGrid, median, sharp } from "./paper.js";

/** How far the line runs behind the newest sample: samples come in pieces of a tenth of a second. */
const BEHIND_S = 0.3;
const SETTLE_S = 2;
const WIPED_PX = 14;
const LABEL_Y = 16;

export class Sweep {
  /**
   * @param {HTMLCanvasElement} grid
   * @param {HTMLCanvasElement} canvas
   */
  constructor(grid, canvas) {
    this.grid = grid;
    this.canvas = canvas;
    /** @type {import("./signal.js").Signal | null} */
    this.signal = null;
    this.lead = 0;
    this.head = 0;
    this.offset = 0;
    this.settledOn = 0;
    this.frames = 0;
    /** @type {Map<number, string>} label by index of the R peak */
    this.labels = new Map();
    this.lastTime = 0;
    this.width = 0;
    this.height = 0;
    /** @type {CanvasRenderingContext2D | null} */
    this.context = null;
    /** Asked for once: the style of a page is dear to look up in every frame. */
    this.trace = "";
    this.resize();
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  resize() {
    const grid = sharp(this.grid);
    drawGrid(grid.context, grid.width, grid.height);
    const { context, width, height } = sharp(this.canvas);
    this.trace = colour("trace");
    this.context = context;
    this.width = width;
    this.height = height;
    this.redraw();
  }

  /**
   * @param {import("./signal.js").Signal | null} signal
   * @param {number} lead
   */
  show(signal, lead) {
    if (this.signal !== signal) this.labels.clear();
    this.signal = signal;
    this.lead = lead;
    this.redraw();
  }

  /** Samples in one run over the paper. */
  get span() {
    return this.signal ? (this.width / PX_PER_S) * this.signal.rate : 1;
  }

  redraw() {
    this.context?.clearRect(0, 0, this.width, this.height);
    const signal = this.signal;
    if (!signal || signal.end === null || !this.width) return;
    const target = Math.max(signal.begin, Math.floor(signal.end - BEHIND_S * signal.rate));
    this.head = Math.max(signal.begin, Math.ceil(target - this.span + (WIPED_PX / this.width) * this.span));
    this.settle(target);
    this.draw(target);
    for (const [at, label] of this.labels) this.write(at, label);
  }

  /** Which sample is drawn at `x`. @param {number} x CSS pixels from the left */
  indexAt(x) {
    const place = (x / PX_PER_S) * (this.signal?.rate ?? 1);
    const back = (((this.head - place) % this.span) + this.span) % this.span;
    return Math.round(this.head - back);
  }

  /** Where the paper's middle lies: chosen once for each run, so that a run is true to scale.
   * @param {number} until */
  settle(until) {
    const signal = this.signal;
    if (!signal) return;
    const values = [];
    for (let i = Math.max(signal.begin, Math.floor(until - SETTLE_S * signal.rate)); i < until; i += 4) {
      values.push(signal.at(this.lead, i));
    }
    this.offset = median(values);
    this.settledOn = until - signal.begin;
  }

  /** One picture. @param {number} now milliseconds */
  tick(now) {
    const elapsed = Math.min(1, (now - this.lastTime) / 1000);
    this.lastTime = now;
    const signal = this.signal;
    if (!signal || signal.end === null || !this.width) return; // another view is shown
    this.frames++;
    const late = (signal.end - BEHIND_S * signal.rate - this.head) / signal.rate;
    // The first instants of a stream say little about where its middle lies: look again soon.
    const enough = SETTLE_S * signal.rate;
    const early = this.settledOn < enough && this.head - signal.begin >= enough;
    if (late > 2 || early) {
      this.redraw();
      return;
    }
    const speed = Math.max(0.5, Math.min(1.5, 1 + late));
    const until = Math.min(signal.end, Math.floor(this.head + Math.max(0, elapsed * speed * signal.rate)));
    if (until > this.head) this.draw(until);
  }

  /** @param {number} until */
  draw(until) {
    const { signal, context } = this;
    if (!signal || !context) return;
    const perSample = PX_PER_S / signal.rate;
    this.wipe(this.head * perSample, (until - this.head) * perSample);
    context.strokeStyle = this.trace;
    context.lineWidth = 1.6;
    context.lineJoin = "round";
    context.beginPath();
    let pen = false;
    for (let index = Math.max(this.head - 1, signal.begin); index < until; index++) {
      const place = index % this.span;
      const x = place * perSample;
      if (index > this.head && place < 1) this.settle(index);
      const value = signal.at(this.lead, index);
      if (value === NONE || place < 1) pen = false;
      if (value === NONE) continue;
      const y = this.height / 2 - (value - this.offset) * PX_PER_UV;
      if (pen) context.lineTo(x, y);
      else context.moveTo(x, y);
      pen = true;
    }
    context.stroke();
    this.head = until;
  }

  /** Clear what the line is about to run over, and the space before it.
   * @param {number} from pixels since the signal's begin @param {number} width */
  wipe(from, width) {
    const place = (from + WIPED_PX) % this.width;
    const fits = Math.min(width + 1, this.width - place);
    this.context?.clearRect(place, 0, fits, this.height);
    if (fits < width + 1) this.context?.clearRect(0, 0, width + 1 - fits, this.height);
  }

  /** A beat got its class. @param {number} at @param {string} label */
  label(at, label) {
    this.labels.set(at, label);
    if (this.labels.size > 100) {
      const oldest = this.labels.keys().next().value;
      if (oldest !== undefined) this.labels.delete(oldest);
    }
    if (at <= this.head) this.write(at, label);
  }

  /** @param {number} at @param {string} label */
  write(at, label) {
    const { signal, context } = this;
    if (!signal || !context || at < this.head - this.span * (1 - WIPED_PX / this.width) || at > this.head) return;
    context.font = label === "N" ? "13px system-ui, sans-serif" : "bold 17px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillStyle = colour(`beat-${label.toLowerCase()}`);
    context.fillText(label, (at % this.span) * (PX_PER_S / signal.rate), LABEL_Y);
  }
}

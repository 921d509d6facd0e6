// @ts-check
/** One beat of the strip: what it is called, by which scores, and what people say of it. */

import { byId, clock, make } from "./dom.js";
import { PX_PER_S } from "./paper.js";
import { reviewPanel } from "./review.js";
import { inMemory, stripCanvas } from "./strip.js";
import { say } from "./words.js";

const AROUND_S = 2.5;
const CLASSES = ["N", "S", "V", "F", "Q"];

/** @typedef {import("./source.js").Beat} Beat */

export class BeatPanel {
  /** @param {() => import("./source.js").Source | undefined} source the one that is shown */
  constructor(source) {
    this.source = source;
    /** @type {Beat | null} */
    this.beat = null;
    /** @type {string | null} */
    this.session = null;
    byId("beat-before").addEventListener("click", () => this.step(-1));
    byId("beat-after").addEventListener("click", () => this.step(1));
    byId("beat-close").addEventListener("click", () => this.close());
    byId("beat-review").addEventListener("click", () => this.open(Infinity));
  }

  /** The classified beats of the shown source, oldest first. @returns {Beat[]} */
  get known() {
    return [...(this.source()?.beats.values() ?? [])].sort((a, b) => a.at - b.at);
  }

  /** The beat that is nearest to a sample. @param {number} index */
  open(index) {
    const beats = this.known;
    if (!beats.length) return;
    this.take(index === Infinity ? beats[beats.length - 1] : beats.reduce((best, one) =>
      Math.abs(one.at - index) < Math.abs(best.at - index) ? one : best));
    byId("beat").focus();
  }

  /** @param {number} by */
  step(by) {
    const beats = this.known;
    const here = beats.findIndex((one) => one.at === this.beat?.at);
    const next = beats[here + by];
    if (here >= 0 && next) this.take(next);
  }

  close() {
    this.beat = null;
    this.draw();
    byId("beat-review").focus();
  }

  /** @param {Beat} beat */
  take(beat) {
    this.beat = beat;
    this.session = this.source()?.session ?? null;
    this.draw();
  }

  /** Another source, session, language, or somebody logged in. */
  async draw() {
    const { beat, session } = this;
    const source = this.source();
    const shown = beat !== null && session !== null && source?.session === session;
    byId("beat").hidden = !shown;
    if (!shown || !source) return;
    const paper = make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": say("beat_strip") });
    const scores = Object.entries(beat.scores).map(([name, value]) => `${name} ${value.toFixed(2)}`).join(" · ");
    byId("beat-body").replaceChildren(
      make("p", { class: "sentence" }, make("b", { class: beat.label }, beat.label), ` ${say(`beat_${beat.label}`)} · ${clock(beat.time)}`),
      paper,
      make("p", {}, scores || say("no_scores")),
      reviewPanel({ session, subject: "beat", target: beat.at }, CLASSES.filter((label) => label !== beat.label)),
    );
    const rate = source.status?.rate_hz ?? 250;
    const first = Math.max(0, Math.round(beat.at - AROUND_S * rate));
    const length = Math.round(beat.at + AROUND_S * rate) - first;
    const piece = await inMemory(source.name, session, first, length, rate, source.lead);
    if (!piece.samples.some((value) => value !== null)) paper.append(make("p", {}, say("beat_strip_gone")));
    else paper.append(stripCanvas(piece, beat.at, say("beat_strip")));
    paper.scrollLeft = AROUND_S * PX_PER_S - paper.clientWidth / 2;
  }
}

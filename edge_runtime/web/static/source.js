// @ts-check
/** What the page knows of one source. */

import { Signal } from "./signal.js";

/** @typedef {{at: number, time: string, label: string, scores: Record<string, number>}} Beat */

const BEATS_KEPT = 300;
/** From here on a value is shown as old. */
export const OLD_S = 5;
/** From here on nobody is monitored. */
export const LOST_S = 10;

export class Source {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {any} the newest SourceStatus */
    this.status = null;
    /** @type {string | null} */
    this.session = null;
    /** @type {Signal | null} */
    this.signal = null;
    /** @type {Map<number, Beat>} by index, oldest first */
    this.beats = new Map();
    /** When the newest sample came, by this browser's clock; null: never. @type {number | null} */
    this.arrived = null;
    this.since = Date.now();
    /** @type {number | null} */
    this.chosenLead = null;
  }

  /**
   * @param {any} news a LiveSource
   * @returns {boolean} whether another session began
   */
  see(news) {
    const anew = news.session !== this.session;
    if (anew) {
      this.session = news.session;
      this.signal = null;
      this.beats.clear();
    }
    if (news.status) {
      this.status = news.status;
      if (news.status.age_s !== null) this.arrived = Date.now() - news.status.age_s * 1000;
    }
    if (news.samples && this.status?.rate_hz) {
      const { first, leads } = news.samples;
      // After missed frames the signal begins anew a little before where it was.
      if (!this.signal || first < (this.signal.end ?? first)) this.signal = new Signal(this.status.rate_hz, leads.length);
      this.signal.add(first, leads);
      if (leads[0]) this.arrived = Date.now();
    }
    return anew;
  }

  /** @param {any} published @returns {Beat | null} a beat that got its class */
  seeBeat(published) {
    const { event, time } = published;
    if (event.type !== "beat_classified") {
      if (event.type === "beat_detected" && this.status) {
        this.status.heart_rate_bpm = event.heart_rate_bpm;
      }
      return null;
    }
    const beat = { at: event.at, time, label: event.label, scores: event.scores };
    const known = this.beats.has(event.at);
    this.beats.set(event.at, beat);
    if (this.beats.size > BEATS_KEPT) this.beats.delete([...this.beats.keys()][0]);
    if (!known && this.status) this.status.beats[event.label] = (this.status.beats[event.label] ?? 0) + 1;
    return beat;
  }

  /** Seconds since the newest sample; null: there was none. */
  get age() {
    return this.arrived === null ? null : (Date.now() - this.arrived) / 1000;
  }

  /** Since when nobody is monitored here, in milliseconds; null: somebody is. */
  get lostSince() {
    const seen = this.arrived ?? this.since;
    return (Date.now() - seen) / 1000 > LOST_S ? seen : null;
  }

  get lead() {
    const leads = this.status?.leads ?? [];
    const wanted = this.chosenLead ?? leads.indexOf(this.status?.lead);
    return wanted >= 0 && wanted < leads.length ? wanted : 0;
  }
}

// @ts-check
/** The newest half minute of every lead of one source, in microvolts. */

import { NONE } from "./paper.js";

const KEPT_S = 30;

export class Signal {
  /**
   * @param {number} rate samples a second
   * @param {number} leads
   */
  constructor(rate, leads) {
    this.rate = rate;
    this.capacity = Math.ceil(rate * KEPT_S);
    this.leads = Array.from({ length: leads }, () => new Int16Array(this.capacity).fill(NONE));
    /** @type {number | null} index just after the newest sample */
    this.end = null;
    this.begin = 0;
  }

  /**
   * @param {number} first
   * @param {string[]} encoded base64 of little-endian 16-bit microvolts
   */
  add(first, encoded) {
    const blocks = encoded.map(decoded);
    const n = blocks.length ? blocks[0].length : 0;
    const from = this.end ?? first;
    if (this.end === null) this.begin = first;
    for (let index = Math.max(from, first - this.capacity); index < first; index++) {
      for (const lead of this.leads) lead[index % this.capacity] = NONE;
    }
    this.leads.forEach((lead, k) => {
      for (let i = Math.max(0, n - this.capacity); i < n; i++) {
        lead[(first + i) % this.capacity] = blocks[k] ? blocks[k][i] : NONE;
      }
    });
    this.end = first + n;
  }

  /**
   * @param {number} lead
   * @param {number} index
   * @returns {number} microvolts, or NONE
   */
  at(lead, index) {
    const end = this.end ?? 0;
    if (index >= end || index < this.begin || index < end - this.capacity) return NONE;
    return this.leads[lead][index % this.capacity];
  }
}

/** @param {string} text */
function decoded(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Int16Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true));
}

// @ts-check
/**
 * Alarm sounds: bursts in the manner of IEC 60601-1-8 (high: ten pulses, medium three, low two).
 * A browser lets a page sound only after a click, so the button says whether it may.
 */

/** Starts of the pulses in seconds, their length, how often a burst comes again, and its pitch. */
const BURSTS = {
  high: { starts: [0, 0.25, 0.5, 0.95, 1.2, 2.0, 2.25, 2.5, 2.95, 3.2], pulse: 0.15, again: 8, hz: 880 },
  medium: { starts: [0, 0.4, 0.8], pulse: 0.2, again: 15, hz: 660 },
  low: { starts: [0, 0.4], pulse: 0.2, again: 30, hz: 523 },
};

/** @typedef {keyof typeof BURSTS} Priority */

export class Sound {
  /** @param {() => void} changed called when what `state` says has changed */
  constructor(changed) {
    this.changed = changed;
    this.wanted = true;
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {Priority | null} */
    this.last = null;
    this.nextAt = 0;
    this.bursts = 0;
    this.open();
  }

  /** @returns {"on" | "off" | "blocked"} */
  get state() {
    if (!this.wanted) return "off";
    return this.context?.state === "running" ? "on" : "blocked";
  }

  /** The person clicked. */
  async toggle() {
    if (this.state === "on") this.wanted = false;
    else {
      this.wanted = true;
      this.open();
      await this.context?.resume();
    }
    this.changed();
  }

  open() {
    if (this.context || !window.AudioContext) return;
    this.context = new AudioContext();
    this.context.onstatechange = () => this.changed();
  }

  /** Called twice a second with the highest priority that holds. @param {Priority | null} priority */
  tick(priority) {
    const now = Date.now() / 1000;
    if (!priority || this.state !== "on") {
      this.last = null;
      return;
    }
    if (priority === this.last && now < this.nextAt) return;
    this.last = priority;
    this.nextAt = now + BURSTS[priority].again;
    this.burst(priority);
  }

  /** @param {Priority} priority */
  burst(priority) {
    const context = this.context;
    if (!context) return;
    this.bursts++;
    const { starts, pulse, hz } = BURSTS[priority];
    for (const start of starts) {
      const begin = context.currentTime + 0.05 + start;
      const gain = context.createGain();
      gain.gain.setValueAtTime(0, begin);
      gain.gain.linearRampToValueAtTime(0.3, begin + 0.02);
      gain.gain.setValueAtTime(0.3, begin + pulse - 0.03);
      gain.gain.linearRampToValueAtTime(0, begin + pulse);
      gain.connect(context.destination);
      for (const harmonic of [1, 2, 3]) {
        const tone = context.createOscillator();
        tone.frequency.value = hz * harmonic;
        tone.connect(gain);
        tone.start(begin);
        tone.stop(begin + pulse);
      }
    }
  }
}

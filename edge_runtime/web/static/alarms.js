// @ts-check
/** The list of alarms, and why one was raised. */

import { byId, clock, describe, make } from "./dom.js";
import { may, post } from "./login.js";
import { PX_PER_S } from "./paper.js";
import { reviewPanel } from "./review.js";
import { inMemory, stripCanvas } from "./strip.js";
import { say } from "./words.js";

/** As many marks as the priority is high: IEC 60601-1-8's own symbol. */
const MARKS = { high: "!!!", medium: "!!", low: "!" };
const AROUND_S = 15;
const BEATS_TOLD = 8;

/** @typedef {{id: string, source: string, session: string, time: string, active: boolean,
 *   cleared: string | null, states: string[], alarm: {at: number, decided: number, alarm: number,
 *   rule: string, kind: string, priority: "high" | "medium" | "low", text: string,
 *   trace?: object | null,
 *   explanation: {sentence: string, source: string, values: Record<string, number>}}}} Alarm */

/** @typedef {{off: boolean, paused_for_s: number, sounding: "high" | "medium" | "low" | null,
 *   acknowledged: string[], latched: string[], others: Alarm[]}} Board */

export class AlarmBoard {
  /**
   * @param {(alarm: Alarm) => {rate: number, lead: number, beats: import("./source.js").Beat[]}} about
   * @param {(source: string, at: number) => void} openBeat
   */
  constructor(about, openBeat) {
    this.about = about;
    this.openBeat = openBeat;
    /** @type {Map<string, Alarm>} newest last */
    this.alarms = new Map();
    /** @type {string | null} */
    this.chosen = null;
    /** @type {Board} */
    this.desk = { off: false, paused_for_s: 0, sounding: null, acknowledged: [], latched: [], others: [] };
    byId("reset").addEventListener("click", () => act("reset", {}));
    byId("pause").addEventListener("click", () => act("audio", { paused: this.desk.paused_for_s === 0 }));
    byId("off").addEventListener("click", () => act("off", { off: !this.desk.off }));
  }

  /** What holds for all alarms. @param {Board} desk */
  hold(desk) {
    const before = JSON.stringify([this.desk.acknowledged, this.desk.latched, this.desk.others]);
    const gone = this.desk.others.filter((one) => !desk.others.some((other) => other.id === one.id));
    this.desk = desk;
    for (const one of gone) this.alarms.delete(one.id);
    for (const one of desk.others) this.alarms.set(one.id, one);
    if (before !== JSON.stringify([desk.acknowledged, desk.latched, desk.others])) this.draw();
    this.showDesk();
  }

  showDesk() {
    const { off, paused_for_s, latched } = this.desk;
    byId("alarm-actions").hidden = !may("acknowledge");
    byId("off").hidden = !may("administer");
    byId("reset").hidden = !latched.length;
    byId("pause").textContent = say(paused_for_s ? "resume_audio" : "pause_audio");
    byId("off").textContent = say(off ? "switch_on" : "switch_off");
    const told = off ? say("alarms_off") : paused_for_s ? say("audio_paused", { s: Math.ceil(paused_for_s) }) : "";
    byId("desk-state").textContent = told;
    byId("desk-state").hidden = !told;
  }

  /** A full list took the place of what was known. @param {Alarm[]} alarms newest first */
  replace(alarms) {
    const known = new Set(this.alarms.keys());
    const fresh = known.size ? alarms.filter((one) => one.active && !known.has(one.id)) : [];
    this.alarms = new Map([...alarms].reverse().map((one) => [one.id, one]));
    fresh.forEach(announce);
    this.draw();
  }

  /** @param {any} published an event */
  see(published) {
    const { event, session } = published;
    const id = `${session}/${event.alarm}`;
    const known = this.alarms.get(id);
    if (event.type === "alarm_raised" && !known) {
      const alarm = { id, source: published.source, session, time: published.time, active: true, cleared: null, states: [], alarm: event };
      this.alarms.set(id, alarm);
      while (this.alarms.size > 200) this.alarms.delete([...this.alarms.keys()][0]);
      announce(alarm);
    } else if (event.type === "alarm_cleared" && known) {
      this.alarms.set(id, { ...known, active: false, cleared: published.time });
    } else if (event.type === "alarm_state_changed" && known) {
      this.alarms.set(id, { ...known, states: [...known.states, event.state] });
    } else return;
    this.draw();
  }

  /** Nothing can end the alarms of a stream that is over. @param {string} source @param {string} session */
  endOthers(source, session) {
    for (const [id, one] of this.alarms) {
      if (one.source === source && one.session !== session && one.active) this.alarms.set(id, { ...one, active: false });
    }
    this.draw();
  }

  /** The most urgent alarm that holds, above a view without the list. @param {boolean} wanted */
  showLine(wanted) {
    const order = ["low", "medium", "high"];
    const holding = [...this.alarms.values()].filter((one) => one.active)
      .sort((a, b) => order.indexOf(b.alarm.priority) - order.indexOf(a.alarm.priority));
    const line = byId("alarm-line");
    line.hidden = !wanted || !holding.length;
    if (line.hidden) return;
    const { alarm, source } = holding[0];
    const text = `${MARKS[alarm.priority]} ${say("alarm_line", { t: alarm.text, s: source, n: holding.length })}`;
    if (line.textContent !== text) line.textContent = text;
    line.className = alarm.priority;
  }

  draw() {
    const list = byId("alarm-list");
    const focused = document.activeElement?.getAttribute("data-id");
    const shown = [...this.alarms.values()].reverse().sort((a, b) => Number(b.active) - Number(a.active));
    byId("no-alarms").hidden = shown.length > 0;
    list.replaceChildren(...shown.map((one) => make("li", {}, this.button(one), ...this.acknowledge(one))));
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector(`[data-id="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {Alarm} one */
  button(one) {
    const { priority, text, kind } = one.alarm;
    const state = [
      one.active ? say("active") : say("over"),
      ...(this.desk.latched.includes(one.id) ? [say("latched")] : []),
      ...(this.desk.acknowledged.includes(one.id) ? [say("acknowledged")] : []),
    ].join(" · ");
    const button = make(
      "button",
      { type: "button", class: `${priority} ${one.active ? "active" : "over"}`, "data-id": one.id, "aria-pressed": String(one.id === this.chosen) },
      make("span", { class: "mark", "aria-hidden": "true" }, MARKS[priority]),
      make("span", { class: "text" }, text),
      make("span", { class: "when" }, clock(one.time)),
      make("span", { class: "about" }, `${one.source} · ${say(priority)} · ${say(kind)} · ${state}`),
    );
    button.addEventListener("click", () => this.choose(one.id));
    return button;
  }

  /** The button that tells the daemon that a person has seen it, where one may. @param {Alarm} one */
  acknowledge(one) {
    const asks = one.active || this.desk.latched.includes(one.id);
    if (!may("acknowledge") || !asks || this.desk.acknowledged.includes(one.id)) return [];
    const button = make("button", { type: "button", class: "acknowledge", "aria-label": `${say("acknowledge")}: ${one.alarm.text}` }, say("acknowledge"));
    button.addEventListener("click", () => act("acknowledge", { session: one.session, alarm: one.alarm.alarm }));
    return [button];
  }

  /** @param {string} id */
  choose(id) {
    this.chosen = id;
    this.draw();
    this.tell();
  }

  /** Draw the detail of the chosen alarm again, as in another language or theme. */
  async tell() {
    const one = this.chosen ? this.alarms.get(this.chosen) : undefined;
    const body = byId("detail-body");
    if (!one) {
      body.replaceChildren(make("p", {}, say("choose_alarm")));
      return;
    }
    const { explanation, rule, priority, kind, text } = one.alarm;
    const rows = make("dl");
    describe(rows, [
      [say("priority"), `${say(priority)}, ${say(kind)}`],
      [say("time"), `${clock(one.time)}${one.cleared ? ` – ${clock(one.cleared)}` : ""}`],
      [say("rule"), rule],
      [say("source_of_rule"), explanation.source],
      [say("state"), [one.active ? say("active") : say("over"), ...one.states].join(", ")],
    ]);
    const values = make("dl");
    const compared = Object.entries(explanation.values).map(([name, value]) => [name, String(+value.toFixed(3))]);
    describe(values, compared.length ? /** @type {[string, string][]} */ (compared) : [[say("none"), ""]]);
    const paper = make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": say("strip_label") });
    body.replaceChildren(
      make("h3", {}, text), make("p", { class: "sentence" }, explanation.sentence), paper, rows,
      reviewPanel({ session: one.session, subject: "alarm", target: one.alarm.alarm }, this.otherRules(rule)),
      make("h3", {}, say("values")), values, make("h3", {}, say("scores")), this.scores(one),
      make("p", { class: "age" }, say("no_map")),
    );
    paper.append(await this.strip(one));
    paper.scrollLeft = AROUND_S * PX_PER_S - paper.clientWidth / 2;
  }

  /** Rules that have raised alarms here: what this one could have been. @param {string} rule */
  otherRules(rule) {
    const rules = new Set([...this.alarms.values()].map((one) => one.alarm.rule));
    rules.delete(rule);
    return [...rules].sort();
  }

  /** @param {Alarm} one */
  scores(one) {
    const near = this.about(one).beats.filter((beat) => beat.at <= one.alarm.decided && beat.label).slice(-BEATS_TOLD);
    if (!near.length) return make("p", {}, say("no_scores"));
    const names = Object.keys(near[near.length - 1].scores);
    const head = make("tr", {}, ...[say("time"), say("beats"), ...names].map((name) => make("th", { scope: "col" }, name)));
    const rows = near.map((beat) =>
      make("tr", {}, ...[clock(beat.time), this.beatButton(one.source, beat), ...names.map((name) => (beat.scores[name] ?? 0).toFixed(2))].map((cell) => make("td", {}, cell))));
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": say("scores") }, make("table", {}, head, ...rows));
  }

  /** @param {string} source @param {import("./source.js").Beat} beat */
  beatButton(source, beat) {
    const name = say("open_beat", { l: beat.label, t: clock(beat.time) });
    const button = make("button", { type: "button", class: `open-beat ${beat.label}`, "aria-label": name }, beat.label);
    button.addEventListener("click", () => this.openBeat(source, beat.at));
    return button;
  }

  /** @param {Alarm} one */
  async strip(one) {
    const { rate: now, lead } = this.about(one);
    const first = Math.max(0, Math.round(one.alarm.at - AROUND_S * now));
    const length = Math.round(one.alarm.at + AROUND_S * now) - first;
    const piece = (await kept(one, lead)) ?? (await inMemory(one.source, one.session, first, length, now, lead));
    if (!piece.samples.some((value) => value !== null)) return make("p", {}, say("strip_gone"));
    return stripCanvas(piece, one.alarm.at, say("strip_label"));
  }
}

/** The strip that the store keeps, once it is complete. @param {Alarm} one @param {number} lead
 * @returns {Promise<import("./strip.js").Piece | null>} */
async function kept(one, lead) {
  const { trace, alarm } = one.alarm;
  if (!trace) return null;
  const answer = await fetch(`api/v1/sessions/${encodeURIComponent(one.session)}/alarms/${alarm}/strip`);
  if (!answer.ok) return null;
  const strip = await answer.json();
  return { samples: strip.samples[lead] ?? strip.samples[0], first: strip.first, rate: strip.rate_hz };
}

/** @param {Alarm} one */
function announce(one) {
  byId("announcer").textContent = say("new_alarm", { p: say(one.alarm.priority), t: `${one.alarm.text} (${one.source})` });
}

/** @param {string} action @param {object} body */
async function act(action, body) {
  const answer = await post(`alarms/${action}`, body);
  byId("alarm-answer").textContent = answer.ok ? "" : (await answer.json()).error;
}

// @ts-check
/** What people say of an alarm or a beat: confirmed, false, or something else. */

import { make } from "./dom.js";
import { may, post } from "./login.js";
import { say } from "./words.js";

const LONGEST_COMMENT = 500;
const LONGEST_LABEL = 40;

/** An alarm's number in its session, or a beat's sample index there.
 * @typedef {{session: string, subject: "alarm" | "beat", target: number}} Target */
/** @typedef {{subject: string, target: number, verdict: string, label: string | null,
 *   comment: string, by: string, utc_ms: number}} Review */

/**
 * What was said of `target`, and a form for who may say more.
 * @param {Target} target
 * @param {string[]} labels what it can be instead; of a beat nothing else
 */
export function reviewPanel(target, labels) {
  const told = make("ul", { class: "reviews" });
  const panel = make("div", { class: "review" }, make("h3", {}, say("review")), told);
  const refresh = async () => told.replaceChildren(...lines(await saidOf(target)));
  panel.append(may("acknowledge") ? form(target, labels, refresh) : make("p", { class: "age" }, say("review_needs_login")));
  refresh();
  return panel;
}

/** Oldest first. @param {Target} target @returns {Promise<Review[]>} */
async function saidOf(target) {
  const answer = await fetch(`api/v1/sessions/${encodeURIComponent(target.session)}/reviews`);
  if (!answer.ok) return [];
  /** @type {{reviews: Review[]}} */
  const { reviews } = await answer.json();
  return reviews.filter((one) => one.subject === target.subject && one.target === target.target);
}

/** The newest first: it is the one that counts. @param {Review[]} reviews */
function lines(reviews) {
  if (!reviews.length) return [make("li", {}, say("not_reviewed"))];
  return [...reviews].reverse().map((one, k) => {
    const verdict = say(`verdict_${one.verdict}`) + (one.label ? ` ${one.label}` : "");
    const about = `${one.by}, ${new Date(one.utc_ms).toLocaleString()}${one.comment ? `: ${one.comment}` : ""}`;
    return make("li", k ? { class: "earlier" } : {}, make("strong", {}, verdict), ` · ${about}`);
  });
}

/** @param {Target} target @param {string[]} labels @param {() => Promise<void>} done */
function form(target, labels, done) {
  const comment = /** @type {HTMLInputElement} */ (
    make("input", { class: "comment", maxlength: String(LONGEST_COMMENT), "aria-label": say("comment"), placeholder: say("comment"), autocomplete: "off" }));
  const other = target.subject === "beat" ? choice(labels) : words(labels);
  const told = make("p", { role: "status" });
  /** @param {string} verdict @param {string | null} label */
  const send = async (verdict, label) => {
    const order = { session: target.session, [target.subject]: target.target, verdict, label, comment: comment.value };
    const answer = await post("reviews", order);
    told.textContent = answer.ok ? say("reviewed") : (await answer.json()).error;
    if (!answer.ok) return;
    comment.value = "";
    await done();
  };
  /** @param {string} verdict @param {() => string | null} label */
  const button = (verdict, label) => {
    const made = make("button", { type: "button", "data-verdict": verdict }, say(`review_${verdict}`));
    made.addEventListener("click", () => send(verdict, label()));
    return made;
  };
  return make("div", {},
    make("div", { class: "row" }, comment),
    make("div", { class: "row" }, button("confirmed", () => null), button("false", () => null)),
    make("div", { class: "row" }, other, button("reclassified", () => input(other).value.trim())),
    told);
}

/** The field of a label. @param {HTMLElement} holder */
function input(holder) {
  return /** @type {HTMLInputElement | HTMLSelectElement} */ (holder.querySelector("input, select"));
}

/** One of `labels`. @param {string[]} labels */
function choice(labels) {
  const options = labels.map((label) => make("option", { value: label }, `${label} ${say(`beat_${label}`)}`));
  return make("span", { class: "other" }, make("select", { "aria-label": say("review_as") }, ...options));
}

/** One of `labels`, or other words. @param {string[]} labels */
function words(labels) {
  const list = make("datalist", { id: "review-labels" }, ...labels.map((label) => make("option", { value: label })));
  const field = make("input", { "aria-label": say("review_as"), placeholder: say("review_as"), maxlength: String(LONGEST_LABEL), list: "review-labels", autocomplete: "off" });
  return make("span", { class: "other" }, field, list);
}

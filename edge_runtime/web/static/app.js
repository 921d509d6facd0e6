// @ts-check
/** The page: one live stream in, everything that is shown out. */

import { AlarmBoard } from "./alarms.js";
import { BeatPanel } from "./beats.js";
import { prepareDevices, showDevices } from "./devices.js";
import { byId, clock, describe, make } from "./dom.js";
import { prepareHolter, showHolter } from "./holter.js";
import { prepareLogin, showWho } from "./login.js";
import { showModels } from "./models.js";
import { showRecordings } from "./recordings.js";
import { prepareSettings, showSettings } from "./settings.js";
import { Sound } from "./sound.js";
import { LOST_S, OLD_S, Source } from "./source.js";
import { Sweep } from "./sweep.js";
import { drawTrend } from "./trend.js";
import { currentView, onView, showView } from "./views.js";
import { preferred, say, sayQuality, speak } from "./words.js";

const REOPEN_AFTER_S = 15;
const TREND_EVERY_MS = 20_000;
const RECORDINGS_EVERY_MS = 120_000;

/** @type {Map<string, Source>} */
const sources = new Map();
/** @type {string | null} */
let chosen = null;
let lastFrame = Date.now();
/** @type {EventSource | null} */
let stream = null;
let openedAt = 0;

const sweep = new Sweep(byId("grid"), byId("sweep"));
const board = new AlarmBoard((alarm) => {
  const source = sources.get(alarm.source);
  return { rate: source?.status?.rate_hz ?? 250, lead: source?.lead ?? 0, beats: [...(source?.beats.values() ?? [])] };
}, (name, at) => {
  choose(name);
  beatPanel.open(at);
});
const beatPanel = new BeatPanel(() => (chosen ? sources.get(chosen) : undefined));
const sound = new Sound(showSound);

function open() {
  stream?.close();
  openedAt = Date.now();
  stream = new EventSource("api/v1/live");
  stream.onmessage = (message) => take(JSON.parse(message.data));
}

/** @param {any} frame */
function take(frame) {
  lastFrame = Date.now();
  for (const news of frame.sources) takeSource(news);
  if (frame.alarms) board.replace(frame.alarms);
  if (frame.board) board.hold(frame.board);
  showSources();
}

/** @param {any} news */
function takeSource(news) {
  let source = sources.get(news.source);
  if (!source) {
    source = new Source(news.source);
    sources.set(news.source, source);
    if (chosen === null) choose(news.source);
  }
  const before = source.signal;
  if (source.see(news) && news.session) board.endOthers(news.source, news.session);
  const shown = news.source === chosen;
  if (shown && (source.signal !== before || source.lead !== sweep.lead)) showLeads();
  for (const published of news.events) {
    const beat = source.seeBeat(published);
    if (beat && shown) sweep.label(beat.at, beat.label);
    board.see(published);
  }
  if (shown) showVitals();
}

/** @param {string} name */
function choose(name) {
  chosen = name;
  byId("source-name").textContent = name;
  showLeads();
  showSources();
  showVitals();
  refreshTrend();
  describeSweep();
  beatPanel.draw();
}

function showLeads() {
  const source = chosen ? sources.get(chosen) : undefined;
  const select = /** @type {HTMLSelectElement} */ (byId("lead"));
  const leads = source?.status?.leads ?? [];
  select.replaceChildren(...leads.map((/** @type {string} */ lead, /** @type {number} */ k) => make("option", { value: String(k) }, lead)));
  select.value = String(source?.lead ?? 0);
  sweep.show(source?.signal ?? null, source?.lead ?? 0);
  for (const beat of source?.beats.values() ?? []) sweep.label(beat.at, beat.label);
}

function showSources() {
  const nav = byId("sources");
  const names = [...sources.keys()];
  if (nav.children.length !== names.length) {
    nav.replaceChildren(...names.map((name) => {
      const button = make("button", { type: "button" }, make("span", {}, name), make("strong"), make("span", { class: "state" }));
      button.addEventListener("click", () => choose(name));
      return button;
    }));
  }
  names.forEach((name, k) => {
    const source = /** @type {Source} */ (sources.get(name));
    const button = nav.children[k];
    const rate = source.status?.heart_rate_bpm;
    const lost = source.lostSince !== null;
    const texts = [name, lost || rate == null ? "–" : rate.toFixed(0), lost ? say("not_monitoring") : say(source.status?.availability ?? "connecting")];
    texts.forEach((text, i) => {
      if (button.children[i].textContent !== text) button.children[i].textContent = text;
    });
    button.setAttribute("aria-pressed", String(name === chosen));
  });
}

function showVitals() {
  const status = chosen ? sources.get(chosen)?.status : null;
  if (!status) return;
  const rate = status.heart_rate_bpm;
  byId("rate").textContent = rate === null ? "–" : rate.toFixed(0);
  const beats = Object.entries(status.beats).map(([label, n]) => `${label} ${n}`).join(" · ");
  describe(byId("vital-list"), [
    [say("quality"), [sayQuality(status.quality), status.quality_reason].filter(Boolean).join(": ")],
    [say("state"), say(status.availability)],
    [say("ectopy"), beats || say("none")],
  ]);
  const minutes = Math.floor(status.duration_s / 60);
  describe(byId("device-list"), [
    [say("model"), [status.family, status.model].filter(Boolean).join(", ") || say("unknown")],
    [say("firmware"), status.firmware || say("unknown")],
    [say("sample_rate"), status.rate_hz ? `${status.rate_hz} Hz` : say("unknown")],
    [say("leads"), status.leads.join(", ") || say("unknown")],
    [say("battery"), status.battery_percent === null ? say("unknown") : `${status.battery_percent.toFixed(0)} %`],
    [say("link"), status.link_reason || say(status.availability)],
    [say("gaps"), say("lost", { n: status.gaps, s: status.missing_s.toFixed(1) })],
    [say("duration"), `${minutes} min`],
    [say("session"), status.session ?? say("none")],
  ]);
  const messages = byId("messages");
  if (messages.children.length !== status.messages.length || messages.textContent !== status.messages.join("")) {
    messages.replaceChildren(...status.messages.map((/** @type {string} */ text) => make("li", {}, text)));
  }
}

/** Silence must never look like health: checked twice a second, whatever comes or does not. */
function watch() {
  const silent = (Date.now() - lastFrame) / 1000;
  const lost = [...sources.values()].filter((source) => source.lostSince !== null);
  const banner = byId("not-monitoring");
  let text = "";
  if (silent > LOST_S) text = `${say("not_monitoring")} ${say("since")} ${clock(lastFrame)} (${say("no_contact")})`;
  else if (lost.length) {
    const since = Math.min(...lost.map((source) => source.lostSince ?? Date.now()));
    text = `${say("not_monitoring")} ${say("since")} ${clock(since)}: ${lost.map((source) => source.name).join(", ")}`;
  }
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
  board.showLine(currentView() !== "live");
  document.title = text ? `${say("not_monitoring")} – ecg-edge` : "ecg-edge";
  const age = Math.max(silent, (chosen && sources.get(chosen)?.age) || 0);
  byId("live").classList.toggle("stale", age > OLD_S);
  byId("vitals").classList.toggle("stale", age > OLD_S);
  const note = byId("rate-age");
  note.hidden = age <= OLD_S;
  note.textContent = say("old_value", { s: Math.floor(age) });
  if (silent > REOPEN_AFTER_S && Date.now() - openedAt > REOPEN_AFTER_S * 1000) open();
  if (stream?.readyState === EventSource.CLOSED && Date.now() - openedAt > 3000) open();
  showSources();
  sound.tick(board.desk.sounding);
}

function describeSweep() {
  const status = chosen ? sources.get(chosen)?.status : null;
  const rate = status?.heart_rate_bpm;
  byId("sweep").setAttribute("aria-label", say("rate_label", { r: rate == null ? "–" : rate.toFixed(0), q: sayQuality(status?.quality ?? "") }));
}

async function refreshTrend() {
  if (!chosen || currentView() !== "live") return;
  try {
    const answer = await fetch(`api/v1/sources/${encodeURIComponent(chosen)}/trend`);
    if (answer.ok) {
      const { points, rhythms } = await answer.json();
      drawTrend(points, rhythms);
    }
  } catch {
    // The banner says that the daemon is gone; the trend stays as it was.
  }
}

function showSound() {
  const button = byId("sound");
  button.textContent = say(`sound_${sound.state}`);
  button.classList.toggle("blocked", sound.state === "blocked");
  button.setAttribute("aria-pressed", String(sound.state === "on"));
}

function showAll() {
  showWho();
  showSound();
  showVitals();
  showSources();
  describeSweep();
  board.draw();
  board.showDesk();
  board.tell();
  beatPanel.draw();
  refreshTrend();
  showRecordings();
  showModels();
  showView();
}

/** @param {string} id @param {string} stored @param {(value: string) => void} apply */
function setting(id, stored, apply) {
  const select = /** @type {HTMLSelectElement} */ (byId(id));
  select.value = stored;
  apply(stored);
  select.addEventListener("change", () => {
    localStorage.setItem(id, select.value);
    apply(select.value);
    showAll();
  });
}

setting("language", localStorage.getItem("language") ?? preferred(), speak);
setting("theme", localStorage.getItem("theme") ?? "auto", (theme) => {
  document.documentElement.dataset.theme = theme;
  sweep.resize();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => sweep.resize());
byId("lead").addEventListener("change", (event) => {
  const source = chosen ? sources.get(chosen) : undefined;
  if (source) source.chosenLead = Number(/** @type {HTMLSelectElement} */ (event.target).value);
  showLeads();
});
byId("sound").addEventListener("click", () => sound.toggle());
showSound();
document.addEventListener("who", () => {
  board.draw();
  board.showDesk();
  board.tell();
  beatPanel.draw();
});
byId("sweep").addEventListener("click", (event) => beatPanel.open(sweep.indexAt(event.offsetX)));
onView("live", () => refreshTrend());
onView("holter", showHolter);
onView("devices", showDevices);
onView("settings", showSettings);
prepareHolter();
prepareDevices(() => sources.values());
prepareSettings();
showView();
prepareLogin(() => chosen);
showRecordings();
open();
setInterval(watch, 500);
setInterval(describeSweep, 10_000);
setInterval(refreshTrend, TREND_EVERY_MS);
setInterval(showRecordings, RECORDINGS_EVERY_MS);
requestAnimationFrame(function next(now) {
  sweep.tick(now);
  requestAnimationFrame(next);
});

/** For the browser's own tools and the tests: what is shown, not what to do. */
Object.assign(window, { ecgEdge: { sources, sweep, board, beatPanel, sound } });

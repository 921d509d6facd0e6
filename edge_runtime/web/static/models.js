// @ts-check
/** Says all the time when nobody has signed the models in use, or when they are on trial. */

import { byId } from "./dom.js";
import { say } from "./words.js";

const EVERY_MS = 60_000;

/** Ask which models run, and show what one must know of them. */
export async function showModels() {
  try {
    const answer = await fetch("api/v1/status");
    if (!answer.ok) return;
    const { models } = await answer.json();
    const note = byId("models-note");
    const which = { m: models ? `${models.name} ${models.version}` : "" };
    let text = "";
    if (models?.origin === "unsigned") text = say("models_unsigned", which);
    else if (models?.on_trial) text = say("models_on_trial", which);
    note.classList.toggle("unsigned", models?.origin === "unsigned");
    if (note.textContent !== text) note.textContent = text;
    note.hidden = !text;
  } catch {
    // The banner says that the daemon is gone.
  }
}

setInterval(showModels, EVERY_MS);

showModels();

// The numbers of the header, the chips and the footer, and what is wrong with the journal.
import { locale, number, tenths } from "./locale.js";
import { on } from "./socket.js";
import { words } from "./words.js";

const SPEAK_EVERY_MS = 15_000;

const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const byId = (id) => document.getElementById(id);

const reasonsInWords = JSON.parse(byId("dropped").dataset.reasons);

let latest = null;

on("state", (message) => {
  latest = message;
  byId("rate").textContent = rate(message.rate);
  showStored(message);
  showDropped(message);
  showCounted(message);
  showFamilies(message.families);
  showRetained(message);
  showProblem(message.problem);
  showAge();
});

function rate(perSecond) {
  return perSecond > 0 && perSecond < 10 ? tenths.format(perSecond) : number.format(Math.round(perSecond));
}

function showStored({ captured, stored, dropped, buffered }) {
  const element = byId("stored");
  element.textContent = number.format(stored);
  element.parentElement.title = words(element.parentElement, "words", { captured, stored, dropped, buffered });
}

function showDropped({ dropped, dropped_reasons: reasons }) {
  const element = byId("dropped");
  const { noLoss } = element.dataset;
  const counts = Object.entries(reasons);
  element.textContent = number.format(dropped);
  element.classList.toggle("hot", counts.some(([reason, n]) => n && reason !== noLoss));
  element.title = counts.map(([reason, n]) => `${reasonsInWords[reason] ?? reason}: ${number.format(n)}`).join("\n");
}

/** Only where anything is counted: most projects keep every send. */
function showCounted({ counted }) {
  const element = byId("counted");
  element.textContent = number.format(counted ?? 0);
  element.parentElement.hidden = !counted;
}

function showFamilies(families) {
  for (const chip of document.querySelectorAll("[data-family-chip]")) {
    const count = families?.[chip.dataset.familyChip] ?? 0;
    const element = chip.querySelector("[data-count]");
    element.dataset.count = count;
    element.textContent = number.format(count);
    chip.toggleAttribute("data-idle", count === 0);
  }
}

function showRetained({ retained, evicted, retention, window: ends }) {
  const element = byId("retained");
  if (retention && !("recording" in document.body.dataset)) {
    const [events, bytes] = retention;
    const mebibytes = Math.round(bytes / 2 ** 20 * 10) / 10;
    element.title = words(element, "limits", { n: events, mebibytes });
  }
  if (!retained || !ends) {
    element.textContent = element.dataset.none;
    return;
  }
  const [from, to] = ends.map((ts) => new Date(ts));
  const format = from.toDateString() === to.toDateString() ? clock : day;
  const kept = words(element, "words", { n: retained, from: format.format(from), to: format.format(to) });
  element.textContent = evicted ? `${kept} · ${words(element, "evicted", { n: evicted })}` : kept;
}

function showProblem(problem) {
  const element = byId("problem");
  element.hidden = !problem;
  if (!problem) return;
  element.querySelector("b").textContent = problem.message;
  element.querySelector("span").textContent = problem.hint ?? "";
}

function showAge() {
  const element = byId("last");
  if (!latest?.last_ts) {
    element.textContent = "";
    return;
  }
  const seconds = Math.floor((Date.now() - new Date(latest.last_ts)) / 1000);
  element.textContent = seconds < 1 ? element.dataset.now : words(element, "ago", { age: age(seconds) });
}

function age(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Screen readers hear counts, now and then, and not rows. */
function speak() {
  if (!latest) return;
  const element = byId("spoken");
  const { stored, dropped } = latest;
  const said = words(element, "words", { rate: rate(latest.rate), stored, dropped });
  if (element.textContent !== said) element.textContent = said;
}

setInterval(showAge, 1000);
setInterval(speak, SPEAK_EVERY_MS);

// The filter in force is the pressed family chips AND the typed text. Both are in the page's URL.
import { indexOf, offsetOf } from "./columns.js";
import { hold, onWalk, write } from "./history.js";
import { on, send, standing } from "./socket.js";

const TYPING_MS = 150;

const field = document.getElementById("filter");
const error = document.getElementById("filter-error");
const caret = error.querySelector("pre");
const english = document.getElementById("filter-english");
const clear = document.getElementById("clear");
const chips = [...document.querySelectorAll("[data-family-chip]")];

let valid = ""; // the last filter that the server understood
let timer = null;
let mistake = null; // what is wrong with the present one
let narrowing = 0; // the latest request for a term

read();
standing.filter = compose().filter;

/** Adds a term to what was typed: a field and its value, or with *negate* any other value. */
export function narrow({ field: name, value, operator = ":" }, negate = false) {
  narrowing += 1;
  send({ type: "narrow", filter: field.value, field: name, operator, value, negate, request: narrowing });
}

/** Filters by *text*, in the place of what was typed. */
export function use(text) {
  field.value = text;
  apply(true);
}

on("narrowed", ({ request, filter }) => {
  if (request === narrowing) use(filter);
});

field.addEventListener("input", () => {
  narrowing += 1; // what was typed since is not replaced by a late answer
  clearTimeout(timer);
  timer = setTimeout(apply, TYPING_MS);
});

document.getElementById("narrow").addEventListener("submit", (event) => {
  event.preventDefault();
  apply(true);
});

for (const chip of chips) {
  chip.addEventListener("click", () => {
    press(chip, chip.getAttribute("aria-pressed") !== "true");
    apply(true);
  });
}

clear.addEventListener("click", () => {
  use("");
  field.focus();
});

document.getElementById("show-all").addEventListener("click", () => {
  for (const chip of chips) press(chip, false);
  use("");
});

document.getElementById("help").addEventListener("click", ({ target }) => {
  const example = target.closest("[data-example]");
  if (!example) return;
  document.getElementById("help").hidePopover();
  use(example.dataset.example);
  field.focus();
});

on("filter", (message) => {
  if (message.ok === false) return;
  valid = message.filter;
  english.textContent = valid ? message.english ?? "" : english.dataset.everything;
  english.title = english.textContent;
  if (valid === compose().filter) showError(null); // else it is the last valid one, said again by a reconnect
});

on("error", (message) => {
  if (message.of !== "filter" || message.filter !== standing.filter) return; // another was asked for since
  standing.filter = valid;
  hold();
  showError(message);
});

onWalk(() => {
  read();
  ask();
});

function apply(settles = false) {
  clearTimeout(timer);
  clear.hidden = field.value === "";
  write({ q: field.value.trim(), family: pressed().join(",") }, settles);
  ask();
}

function ask() {
  const { filter } = compose();
  if (filter === standing.filter && !mistake) return;
  standing.filter = filter;
  send({ type: "filter", filter });
}

/** The whole filter, and where in it the typed text begins. */
function compose() {
  const typed = field.value.trim();
  const families = pressed();
  const term = families.length ? `family:${families.join(",")}` : "";
  if (!typed || !term) return { filter: typed || term, begin: 0 };
  const grouped = /\bOR\b/.test(typed); // AND binds closer
  return { filter: grouped ? `${term} (${typed})` : `${term} ${typed}`, begin: term.length + (grouped ? 2 : 1) };
}

function showError(message) {
  mistake = message;
  error.hidden = !message;
  field.toggleAttribute("aria-invalid", false);
  if (!message) return;
  field.setAttribute("aria-invalid", "true");
  const { message: words, expected } = message;
  const isSaid = !expected || words.includes(expected);
  error.querySelector("span").textContent = isSaid ? words : `${words}; ${error.dataset.expected} ${expected}`;
  placeCaret();
}

/** Under the character that is meant; at the field's end nearest to it when that is scrolled out of sight. */
function placeCaret() {
  caret.hidden = mistake?.column == null;
  if (caret.hidden) return;
  const leading = field.value.length - field.value.trimStart().length;
  const typed = field.value.trim();
  const index = leading + indexOf(typed, Math.max(mistake.column - compose().begin, 1));
  const x = offsetOf(field, index);
  const last = field.clientWidth - parseFloat(getComputedStyle(field).paddingRight);
  caret.textContent = x < 0 ? "‹" : x > last ? "›" : "^";
  caret.style.marginLeft = `${Math.min(Math.max(x, 2), last)}px`;
}

field.addEventListener("scroll", placeCaret, { passive: true });
addEventListener("resize", placeCaret, { passive: true });

function press(chip, pressed) {
  chip.setAttribute("aria-pressed", pressed);
}

function pressed() {
  return chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.familyChip);
}

function read() {
  const query = new URLSearchParams(location.search);
  const families = (query.get("family") ?? "").split(",");
  clearTimeout(timer);
  field.value = query.get("q") ?? "";
  clear.hidden = field.value === "";
  for (const chip of chips) press(chip, families.includes(chip.dataset.familyChip));
}

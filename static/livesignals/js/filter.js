// The filter in force is the pressed family chips AND the typed text. Both are in the page's URL.
import { on, send, standing } from "./socket.js";

const TYPING_MS = 200;

const field = document.getElementById("filter");
const error = document.getElementById("filter-error");
const english = document.getElementById("filter-english");
const clear = document.getElementById("clear");
const chips = [...document.querySelectorAll("[data-family-chip]")];

let valid = ""; // the last filter that the server understood
let timer = null;

read();

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(apply, TYPING_MS);
});

document.getElementById("narrow").addEventListener("submit", (event) => {
  event.preventDefault();
  apply();
});

for (const chip of chips) {
  chip.addEventListener("click", () => {
    press(chip, chip.getAttribute("aria-pressed") !== "true");
    apply();
  });
}

clear.addEventListener("click", () => {
  field.value = "";
  apply();
  field.focus();
});

document.getElementById("show-all").addEventListener("click", () => {
  field.value = "";
  for (const chip of chips) press(chip, false);
  apply();
});

on("filter", (message) => {
  if (message.ok === false) return;
  valid = message.filter;
  english.textContent = valid ? message.english ?? "" : "";
  if (valid === compose().filter) showError(null); // else it is the last valid one, said again by a reconnect
});

on("error", (message) => {
  if (message.of !== "filter") return;
  standing.filter = valid;
  showError(message);
});

function apply() {
  clearTimeout(timer);
  clear.hidden = field.value === "";
  write();
  const filter = compose().filter;
  if (filter === standing.filter && error.hidden) return;
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
  error.hidden = !message;
  field.toggleAttribute("aria-invalid", false);
  if (!message) return;
  field.setAttribute("aria-invalid", "true");
  const caret = error.querySelector("pre");
  caret.hidden = message.column == null;
  if (message.column != null) {
    const leading = field.value.length - field.value.trimStart().length;
    const column = Math.min(Math.max(message.column - compose().begin, 1), field.value.length + 1) + leading;
    caret.style.marginLeft = `calc(${column - 1}ch - ${field.scrollLeft}px)`;
  }
  const expected = message.expected ? `; ${error.dataset.expected} ${message.expected}` : "";
  error.querySelector("span").textContent = message.message + expected;
}

function press(chip, pressed) {
  chip.setAttribute("aria-pressed", pressed);
}

function pressed() {
  return chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.familyChip);
}

function read() {
  const query = new URLSearchParams(location.search);
  const families = (query.get("family") ?? "").split(",");
  field.value = query.get("q") ?? "";
  clear.hidden = field.value === "";
  for (const chip of chips) press(chip, families.includes(chip.dataset.familyChip));
  standing.filter = compose().filter;
}

function write() {
  const url = new URL(location);
  const set = (name, value) => (value ? url.searchParams.set(name, value) : url.searchParams.delete(name));
  set("q", field.value.trim());
  set("family", pressed().join(","));
  history.replaceState(null, "", url);
}

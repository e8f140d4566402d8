// What the present filter holds, counted by field: beside the list, or over it where there is no room. The server counts
// only while it is to be seen.
import { number } from "./locale.js";
import { on, send } from "./socket.js";
import { words } from "./words.js";

const KEY = "livesignals.facets";

const feed = document.getElementById("feed");
const panel = document.getElementById("facets");
const button = document.getElementById("facets-button");
const part = document.getElementById("facets-part");
const narrow = matchMedia("(max-width: 900px)"); // as narrow.css

let wanted = stored(); // beside the list; what lies over it is opened anew each time
let isOpen = false;

function stored() {
  try {
    return localStorage.getItem(KEY) === "open";
  } catch {
    return false; // storage is barred: it is asked for each time
  }
}

/** A popover, which its button opens by itself, or a column. */
function arrange() {
  const isOver = narrow.matches;
  panel.popover = isOver ? "auto" : null;
  panel.toggleAttribute("autofocus", isOver);
  panel.hidden = !isOver && !wanted;
  feed.toggleAttribute("data-facets", !isOver && wanted);
  tell();
}

function tell() {
  const opens = panel.checkVisibility();
  button.setAttribute("aria-expanded", opens);
  if (opens === isOpen) return;
  isOpen = opens;
  send({ type: "facets", open: opens });
}

button.addEventListener("click", () => {
  if (narrow.matches) return;
  wanted = !wanted;
  try {
    localStorage.setItem(KEY, wanted ? "open" : "closed");
  } catch {
    // see stored()
  }
  arrange();
});

panel.addEventListener("toggle", tell);
narrow.addEventListener("change", arrange);

on("open", () => {
  if (isOpen) send({ type: "facets", open: true });
});

on("facets", ({ counts, scanned, exhausted }) => {
  const focused = panel.contains(document.activeElement) ? document.activeElement : null;
  part.hidden = exhausted;
  part.textContent = words(panel, "part", { n: scanned });
  for (const section of panel.querySelectorAll("[data-facet]")) show(section, counts[section.dataset.facet] ?? []);
  // Whoever is at one of them stays there, though it has moved; at its panel when it has gone.
  if (focused && document.activeElement !== focused) (focused.isConnected ? focused : panel).focus({ preventScroll: true });
});

function show(section, values) {
  const list = section.querySelector("ul");
  const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const most = Math.max(1, ...values.map(([, n]) => n));
  section.toggleAttribute("data-none", !values.length);
  values.forEach(([value, n], place) => {
    const item = known.get(value) ?? make(section.dataset.facet, value);
    known.delete(value);
    const button = item.firstElementChild;
    button.lastElementChild.textContent = number.format(n);
    button.style.setProperty("--share", `${(n / most) * 100}%`);
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  for (const item of known.values()) item.remove();
}

function make(field, value) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const label = document.createElement("span");
  item.dataset.key = value;
  Object.assign(button.dataset, { field, value });
  button.type = "button";
  button.title = value;
  label.textContent = field === "cause" ? value.replace(/^\w+ (?=.)/, "") : brief(value);
  button.append(label, document.createElement("b"));
  item.append(button);
  return item;
}

/** A dotted name without what is before its last two parts; of a signal or a class only the last says it all. */
const brief = (name) => name.split(".").slice(name.split(".").length > 2 ? -1 : 0).join(".");

arrange();

// What the present filter holds, counted by field, beside the list. The server counts only while it is open.
import { number } from "./locale.js";
import { on, send } from "./socket.js";
import { words } from "./words.js";

const KEY = "livesignals.facets";

const feed = document.getElementById("feed");
const panel = document.getElementById("facets");
const button = document.getElementById("facets-button");
const part = document.getElementById("facets-part");
const narrow = matchMedia("(max-width: 900px)"); // as facets.css: there is no room beside the list

let wanted = stored();
let isOpen = false;

function stored() {
  try {
    return localStorage.getItem(KEY) === "open";
  } catch {
    return false; // storage is barred: it is asked for each time
  }
}

function arrange() {
  const opens = wanted && !narrow.matches;
  button.setAttribute("aria-expanded", opens);
  if (opens === isOpen) return;
  isOpen = opens;
  panel.hidden = !opens;
  feed.toggleAttribute("data-facets", opens);
  send({ type: "facets", open: opens });
}

button.addEventListener("click", () => {
  wanted = !wanted;
  try {
    localStorage.setItem(KEY, wanted ? "open" : "closed");
  } catch {
    // see stored()
  }
  arrange();
});

narrow.addEventListener("change", arrange);

on("open", () => {
  if (isOpen) send({ type: "facets", open: true });
});

on("facets", ({ counts, scanned, exhausted }) => {
  part.hidden = exhausted;
  part.textContent = words(panel, "part", { n: scanned });
  for (const section of panel.querySelectorAll("[data-facet]")) show(section, counts[section.dataset.facet] ?? []);
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

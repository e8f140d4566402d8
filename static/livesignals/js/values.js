// A value is a way to narrow the filter, with Alt to leave it out: [data-field] with data-value, and data-operator when
// it is not ":". In the pane and the facets a click does it. In a row, where a click opens the send, a click with Ctrl
// does; pointing at the value offers both, and so does a menu for the keyboard.
import { focusList, selectedRow } from "./detail.js";
import { narrow } from "./filter.js";
import { on } from "./socket.js";

const list = document.getElementById("list");
const rows = document.getElementById("rows");
const detail = document.getElementById("detail");
const facets = document.getElementById("facets");
const chooser = document.getElementById("chooser");
const menu = document.getElementById("values");

const term = ({ dataset: { field, value, operator } }) => ({ field, value, operator });
const words = (template, { field, value }) => template.replace("{field}", field).replace("{value}", value);

for (const place of [detail, facets]) {
  place.addEventListener("click", (event) => {
    const element = event.target.closest("[data-field]");
    if (!element || String(getSelection())) return; // marking a text is no click on it
    event.stopPropagation();
    narrow(term(element), event.altKey);
  });
  place.addEventListener("keydown", (event) => {
    const element = event.target.closest("[data-field]");
    if (!element || !leavesOut(event)) return;
    event.preventDefault();
    event.stopPropagation();
    narrow(term(element), true);
  });
}

/** The keys for "leave it out": Alt with Enter, or the sign that does so in the filter. */
function leavesOut({ key, altKey }) {
  return key === "-" || key === "Delete" || (key === "Enter" && altKey);
}

// In rows

rows.addEventListener("click", (event) => {
  const element = event.target.closest("[data-field]");
  if (!element || !(event.ctrlKey || event.metaKey || event.altKey)) return;
  event.preventDefault();
  event.stopPropagation();
  narrow(term(element), event.altKey);
}, { capture: true });

const REST_MS = 350;
const WIDTH = 44; // of both buttons

let offered = null; // the value that the pointer rests at
let timer = null;
let pointerX = 0;

rows.addEventListener("pointermove", ({ clientX }) => (pointerX = clientX), { passive: true });

rows.addEventListener("pointerover", ({ target, pointerType }) => {
  const element = target.closest("[data-field]");
  if (element && element === offered) return;
  withdraw();
  offered = element;
  if (element && pointerType === "mouse") timer = setTimeout(offer, REST_MS, element);
});

/** Beside the value, and never under the pointer: a click there opens the send, as everywhere in the row. */
function offer(element) {
  const box = element.getBoundingClientRect();
  const around = list.getBoundingClientRect();
  let left = Math.min(box.right, around.right) - WIDTH;
  if (Math.abs(left + WIDTH / 2 - pointerX) < WIDTH / 2 + 16) left = pointerX + 16;
  chooser.hidden = false;
  chooser.style.left = `${Math.min(left, around.right - WIDTH) - around.left}px`;
  chooser.style.top = `${box.top + box.height / 2 - around.top + list.scrollTop - 11}px`;
  for (const button of chooser.children) button.title = words(button.dataset.title, element.dataset);
}

function withdraw() {
  clearTimeout(timer);
  offered = null;
  chooser.hidden = true;
}

list.addEventListener("pointerleave", withdraw);
list.addEventListener("scroll", withdraw, { passive: true });
on("rows:before", withdraw); // what it points at moves away

chooser.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && offered) narrow(term(offered), event.altKey || "negate" in button.dataset);
  withdraw();
});

// From the keyboard

/** Offers the values of the selected row, and of the pane. */
export function offerValues() {
  const row = selectedRow();
  const found = [...(row?.querySelectorAll("[data-field]") ?? []), ...detail.querySelectorAll("[data-field]")];
  const once = new Map(found.map((element) => [`${element.dataset.field}\n${element.dataset.value}`, element.dataset]));
  if (!once.size) return;
  menu.querySelector("div").replaceChildren(...[...once.values()].map(item));
  menu.showPopover();
  menu.querySelector("button").focus();
}

function item({ field, value, operator = ":" }) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", role: "menuitem", tabIndex: -1 });
  Object.assign(button.dataset, { field, value, operator });
  button.append(Object.assign(document.createElement("b"), { textContent: field + operator }), value);
  return button;
}

function choose(button, negate) {
  menu.hidePopover();
  focusList();
  narrow(term(button), negate);
}

menu.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) choose(button, event.altKey);
});

menu.addEventListener("keydown", (event) => {
  const buttons = [...menu.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const steps = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: -1 };
  event.stopPropagation();
  if (leavesOut(event) && at >= 0) choose(buttons[at], true);
  else if (Object.hasOwn(steps, event.key)) buttons.at(steps[event.key] % buttons.length).focus();
  else return;
  event.preventDefault();
});

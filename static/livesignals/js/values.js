// A value is a way to narrow the filter, with Alt to leave it out: [data-field] with data-value, and data-operator when
// it is not ":". In the pane and the facets a click does it. In a row, where a click opens the send, a click with Ctrl
// does; pointing at the value offers both, and so does a menu for the keyboard.
import { focusList, selectedRow } from "./detail.js";
import { narrow } from "./filter.js";
import { on } from "./socket.js";
import { words } from "./words.js";

const list = document.getElementById("list");
const rows = document.getElementById("rows");
const detail = document.getElementById("detail");
const facets = document.getElementById("facets");
const chooser = document.getElementById("chooser");
const [what, ...buttons] = chooser.children;
const menu = document.getElementById("values");

const term = ({ dataset: { field, value, operator } }) => ({ field, value, operator });

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
const ROOM = 16; // between the pointer and them

let offered = null; // what they are about
let timer = null;
let pointer = { x: 0, y: 0 };
let top = 0; // of them, in the list as it is seen
let scrolled = 0; // where the list was when they were placed

// Only moves of the pointer count, not those of the rows under it. Whoever is on the way to the buttons crosses other
// values, and new rows meanwhile: the buttons stay until the pointer rests elsewhere.
rows.addEventListener("pointermove", ({ target, pointerType, clientX: x, clientY: y }) => {
  pointer = { x, y };
  clearTimeout(timer);
  const element = target.closest("[data-field]");
  if (pointerType === "mouse" && element?.dataset !== offered) timer = setTimeout(element ? offer : withdraw, REST_MS, element);
}, { passive: true });

chooser.addEventListener("pointerenter", () => clearTimeout(timer));

/** Beside the value, and never under the pointer: a click there opens the send, as everywhere in the row. */
function offer(element) {
  withdraw();
  const box = element.getBoundingClientRect();
  if (!element.isConnected || pointer.y < box.top || pointer.y > box.bottom) return; // its row has moved on
  offered = element.dataset;
  const around = list.getBoundingClientRect();
  let left = Math.min(box.right, around.right) - WIDTH;
  if (Math.abs(left + WIDTH / 2 - pointer.x) < WIDTH / 2 + ROOM) left = pointer.x + ROOM;
  for (const button of buttons) button.title = words(button, "title", offered);
  what.textContent = `${offered.field}${offered.operator ?? ":"}${offered.value}`;
  what.hidden = true;
  chooser.hidden = false;
  chooser.style.left = `${Math.min(left, around.right - WIDTH) - around.left}px`;
  top = box.top + box.height / 2 - around.top - 11;
  stay();
}

/** Where they are seen, whatever the list does. */
function stay() {
  scrolled = list.scrollTop;
  chooser.style.top = `${top + scrolled}px`;
}

function withdraw() {
  clearTimeout(timer);
  offered = null;
  chooser.hidden = true;
}

// Beside them is another value then: below a tree, or in a list that has made room for the pane.
list.addEventListener("arranged", withdraw);
new ResizeObserver(withdraw).observe(list);

list.addEventListener("pointerleave", withdraw);
list.addEventListener("scroll", () => {
  if (Math.abs(list.scrollTop - scrolled) > 1) withdraw(); // a person's doing, not that of rows.js
}, { passive: true });

on("rows", ({ reset }) => {
  if (reset) withdraw();
  if (!offered) return;
  what.hidden = false; // the row that they stood in may have gone: then they say themselves what they are about
  stay();
});

chooser.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && offered) narrow(term({ dataset: offered }), event.altKey || "negate" in button.dataset);
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

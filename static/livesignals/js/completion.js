// Ways to go on with the filter while it is typed: a combobox with a listbox. The server knows what there is.
import { columnOf, indexOf, offsetOf } from "./columns.js";
import { on, send } from "./socket.js";
import { words } from "./words.js";

const TYPING_MS = 50;
const WIDTH = 520; // px, at least, where there is room

const box = document.getElementById("field");
const field = document.getElementById("filter");
const list = document.getElementById("completions");
const count = document.getElementById("completions-count");

let request = 0; // the latest; answers to others come too late
let asked = null; // the text and the caret that it was about
let options = [];
let active = -1;
let pressed = null; // the option under the pointer when it went down; another answer may come before it goes up
let timer = null;
let accepting = false;

const isOpen = () => !list.hidden;
const text = (name, said) => Object.assign(document.createElement(name), { textContent: said });

function ask(always = false) {
  clearTimeout(timer);
  const { value, selectionStart: caret, selectionEnd: end } = field;
  // Between two terms nothing has been typed yet that could be completed, unless a person asks.
  if (caret !== end || (!always && /(^|[\s()])$/.test(value.slice(0, caret)))) {
    hide();
    return;
  }
  asked = { value, caret };
  request += 1;
  send({ type: "complete", filter: value, column: columnOf(value, caret), request });
}

on("completions", (message) => {
  if (message.request !== request || document.activeElement !== field) return;
  const { value, caret } = asked;
  if (field.value !== value) return;
  const marked = options[active]?.insert;
  options = message.options
    .map((option) => ({ ...option, begin: indexOf(value, option.start) }))
    .filter(({ insert, begin }) => insert !== value.slice(begin, caret));
  if (!options.length) {
    hide();
    return;
  }
  show();
  mark(options.findIndex(({ insert }) => insert === marked)); // it was chosen among those of an older answer
});

on("close", hide);

function show() {
  const { value, caret } = asked;
  list.replaceChildren(...options.map(({ label, help }, n) => {
    const option = text("li", "");
    Object.assign(option, { id: `completion-${n}`, role: "option", ariaSelected: "false" });
    option.append(text("b", label), " ", text("span", help));
    return option;
  }));
  list.hidden = false;
  list.scrollTop = 0;
  const room = box.clientWidth - Math.min(WIDTH, box.clientWidth);
  list.style.marginLeft = `${Math.min(Math.max(offsetOf(field, options[0].begin) - 12, 0), room)}px`;
  field.setAttribute("aria-expanded", "true");
  // An unfinished term is not called a mistake while its values are offered.
  box.toggleAttribute("data-choosing", /[:,=]$/.test(value.slice(0, caret)));
  count.textContent = words(count, "words", { n: options.length });
}

function hide() {
  clearTimeout(timer);
  request += 1;
  options = [];
  active = -1;
  list.hidden = true;
  box.toggleAttribute("data-choosing", false);
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
  count.textContent = "";
}

const move = (to) => mark((to + options.length) % options.length);

/** The option that Enter takes; -1: none. */
function mark(n) {
  list.children[active]?.setAttribute("aria-selected", "false");
  active = n;
  const option = list.children[n];
  if (!option) {
    field.removeAttribute("aria-activedescendant");
    return;
  }
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", option.id);
}

function accept({ insert, begin }) {
  const isHere = field.value.slice(0, begin) === asked.value.slice(0, begin) && field.selectionStart >= begin;
  hide();
  if (!isHere) return; // something else was typed meanwhile
  accepting = true;
  field.setRangeText(insert, begin, field.selectionStart, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  accepting = false;
  if (insert.endsWith(":")) ask();
  field.scrollLeft = field.scrollWidth;
}

field.addEventListener("input", () => {
  if (accepting) return;
  mark(-1);
  clearTimeout(timer);
  timer = setTimeout(ask, TYPING_MS);
});

const keys = {
  ArrowDown: () => (isOpen() ? move(active + 1) : ask(true)),
  ArrowUp: () => isOpen() && move(active < 0 ? -1 : active - 1),
  Enter: () => isOpen() && active >= 0 && accept(options[active]),
  Tab: () => isOpen() && accept(options[Math.max(active, 0)]),
  Escape: () => isOpen() && hide(),
};

field.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (!Object.hasOwn(keys, event.key)) return;
  if (keys[event.key]() === false) {
    if (event.key === "Enter") hide(); // the filter as it was typed
    return;
  }
  event.preventDefault();
  event.stopPropagation();
});

field.addEventListener("blur", hide);
field.addEventListener("click", () => isOpen() && ask());

list.addEventListener("pointerdown", (event) => {
  event.preventDefault(); // the field keeps the focus
  pressed = options[[...list.children].indexOf(event.target.closest("li"))] ?? null;
});

list.addEventListener("click", () => {
  if (pressed) accept(pressed);
  pressed = null;
});

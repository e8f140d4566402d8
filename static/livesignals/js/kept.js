// Ranges that are kept from eviction, by name. Hidden where the journal keeps none.
import { clockOf } from "./moments.js";
import { chosen } from "./recorder.js";
import { on, send } from "./socket.js";
import { words } from "./words.js";

const button = document.getElementById("keep");
const name = document.getElementById("keep-name");
const list = document.getElementById("kept");
const chip = document.getElementById("kept-chip").content.firstElementChild;

on("kept", ({ ranges }) => {
  button.hidden = !name.hidden;
  list.replaceChildren(...ranges.map(made));
});

function made(range) {
  const element = chip.cloneNode(true);
  const [show, letGo] = element.querySelectorAll("button");
  show.textContent = range.name;
  if (range.from !== null && range.to !== null) {
    show.title = `${clockOf(range.from, { isShort: true })} – ${clockOf(range.to, { isShort: true })}`;
  }
  show.addEventListener("click", () => send({ type: "range", first: range.first, last: range.last }));
  letGo.setAttribute("aria-label", words(letGo, "words", { name: range.name }));
  letGo.title = letGo.getAttribute("aria-label");
  letGo.addEventListener("click", () => send({ type: "let_go", name: range.name }));
  return element;
}

function ask(isAsking) {
  const hadFocus = document.activeElement === name;
  name.hidden = !isAsking;
  button.hidden = isAsking;
  if (isAsking) name.focus();
  else if (hadFocus) button.focus();
}

button.addEventListener("click", () => ask(true));
name.addEventListener("blur", () => ask(false));

name.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && name.value.trim() && chosen()) {
    const { first, last } = chosen();
    send({ type: "keep", name: name.value, first, last });
    name.value = "";
  } else if (event.key !== "Escape") {
    return;
  }
  event.preventDefault();
  event.stopPropagation(); // Escape closes nothing else
  ask(false);
});

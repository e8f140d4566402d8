// How the list is looked at: its columns, its times, whether runs are folded. Remembered by the browser.
import { setFolding } from "./runs.js";
import { localise, setMode } from "./times.js";
import { arrange } from "./rows.js";

const KEY = "livesignals.view";

const list = document.getElementById("list");
const menu = document.getElementById("view");
const form = menu.querySelector("form");

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage is barred, or holds something else: the choice works until the page is left
  }
}

function read() {
  const { columns, time, fold } = stored();
  if (Array.isArray(columns)) for (const box of form.elements.column) box.checked = columns.includes(box.value);
  for (const radio of form.elements.time) if (radio.value === time) radio.checked = true;
  if (fold === false) form.elements.fold.checked = false;
}

function apply() {
  const hidden = [...form.elements.column].filter((box) => !box.checked).map((box) => box.value);
  const time = form.elements.time.value;
  list.dataset.hide = hidden.join(" ");
  list.dataset.time = time;
  setMode(time);
  setFolding(form.elements.fold.checked);
}

form.addEventListener("change", () => {
  apply();
  localise(document);
  arrange();
  const columns = [...form.elements.column].filter((box) => box.checked).map((box) => box.value);
  try {
    localStorage.setItem(KEY, JSON.stringify({ columns, time: form.elements.time.value, fold: form.elements.fold.checked }));
  } catch {
    // see stored()
  }
});

form.addEventListener("submit", (event) => event.preventDefault());

read();
apply();

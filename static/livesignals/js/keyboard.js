// The keys. A field or a button that has the focus keeps its own.
import { close, isOpen, open, select, selectedRow } from "./detail.js";
import { toggle } from "./pause.js";
import { offerValues } from "./values.js";

const field = document.getElementById("filter");
const help = document.getElementById("help");
const rows = document.getElementById("rows");

function step(direction) {
  const isRow = (element) => element.classList.contains("row");
  let row = selectedRow();
  if (!row) row = rows.querySelector(".row");
  else {
    do row = row[direction];
    while (row && !isRow(row));
  }
  if (row) select(row);
}

const keys = {
  j: () => step("nextElementSibling"),
  k: () => step("previousElementSibling"),
  ArrowDown: () => step("nextElementSibling"),
  ArrowUp: () => step("previousElementSibling"),
  Enter: () => selectedRow() && open(selectedRow().dataset),
  Escape: () => isOpen() && close(),
  "/": () => field.select(),
  f: offerValues,
  " ": toggle,
  "?": () => help.togglePopover(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target === field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  if (help.matches(":popover-open") && event.key !== "?") return; // Escape closes it by itself
  const pressing = event.key === " " || event.key === "Enter";
  if (pressing && event.target.closest("button, a, summary")) return;
  const scrolling = event.key.startsWith("Arrow") && event.target.closest("#pane, #help, header, search");
  if (scrolling || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

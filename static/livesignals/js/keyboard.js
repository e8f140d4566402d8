// The keys. A field or a button that has the focus keeps its own.
import { close, isOpen, open, select, selectedRow } from "./detail.js";
import { toggle } from "./pause.js";
import * as recorder from "./recorder.js";
import { foldUp, holdsMore, isInside, toggleTree, unfold } from "./rows.js";
import { offerValues } from "./values.js";

const field = document.getElementById("filter");
const help = document.getElementById("help");
const view = document.getElementById("view");
const rows = document.getElementById("rows");

function step(direction) {
  const isRow = (element) => element.matches(".row:not(.folded, .elsewhere)");
  let row = selectedRow();
  if (!row) row = rows.querySelector(".row:not(.folded, .elsewhere)");
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
  t: () => selectedRow() && toggleTree(selectedRow()),
  c: () => selectedRow()?.querySelector("a.go")?.click(),
  v: () => view.togglePopover(),
  Enter: () => selectedRow() && open(selectedRow().dataset),
  Escape: () => isOpen() && close(),
  "/": () => field.select(),
  f: offerValues,
  " ": toggle,
  ArrowLeft: ({ shiftKey }) => recorder.step({ back: true, by: shiftKey ? "cause" : undefined }),
  ArrowRight: ({ shiftKey }) => recorder.step({ back: false, by: shiftKey ? "cause" : undefined }),
  ",": () => recorder.step({ back: true, by: "event" }),
  ".": () => recorder.step({ back: false, by: "event" }),
  "[": () => recorder.changeSpeed(-1),
  "]": () => recorder.changeSpeed(1),
  l: recorder.live,
  L: recorder.live,
  "?": () => help.togglePopover(),
};

// Of a row that has the focus: what it holds is opened, and closed again.
rows.addEventListener("keydown", (event) => {
  const row = event.target.closest(".row");
  if (!row || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.key === "ArrowRight" && holdsMore(row)) unfold(row);
  else if (event.key === "ArrowLeft" && isInside(row)) select(foldUp(row));
  else return;
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.target === field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  if (event.target.matches("input, select, textarea")) return;
  const over = document.querySelector("[popover]:popover-open"); // Escape closes it by itself
  if (over && !(over === help && event.key === "?") && !(over === view && event.key === "v")) return;
  const pressing = event.key === " " || event.key === "Enter";
  if (pressing && event.target.closest("button, a, summary")) return;
  const scrolling = event.key.startsWith("Arrow") && event.target.closest("#pane, #help, header, search");
  if (scrolling || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key](event);
});

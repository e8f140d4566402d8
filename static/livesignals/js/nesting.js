// Nested sends: a row that made others has a toggle that shows its tree under it.
import { on } from "./socket.js";
import { say } from "./spoken.js";

const PARENTS = 5_000; // a parent comes soon before or after what it made

const list = document.getElementById("list");
const rows = document.getElementById("rows");
const looked = new WeakSet();

let parents = new Set(); // uids that a row named as its parent

on("rows:before", ({ reset }) => {
  if (reset || parents.size > PARENTS) parents = new Set();
});

/** Gives new rows that made others their toggle. */
export function mark() {
  const fresh = [...rows.children].filter((li) => li.dataset.uid && !looked.has(li));
  const named = fresh.map((li) => li.dataset.parent).filter((uid) => uid && !parents.has(uid));
  for (const uid of named) parents.add(uid);
  // A send that takes long comes after what it made, another before it.
  for (const li of named.length ? rows.children : fresh) {
    if (parents.has(li.dataset.uid) && !isBranch(li)) addToggle(li);
  }
  for (const li of fresh) looked.add(li);
}

export const isGrown = (row) => row.classList.contains("grown");
export const isBranch = (row) => row.classList.contains("branch");

/** The row that a part of a tree stands under. */
export function trunkOf(row) {
  while (row && isBranch(row)) row = row.previousElementSibling;
  return row;
}

/** Shows the tree under a row; whether there is one. */
export async function grow(row) {
  if (isGrown(row) || isBranch(row) || row.dataset.busy) return false;
  row.dataset.busy = "";
  row.classList.add("grown");
  const { epoch, id } = row.dataset;
  const url = `${document.body.dataset.base}events/${encodeURIComponent(epoch)}/${id}/branch/`;
  await htmx.ajax("GET", url, { source: list, target: row, swap: "afterend" });
  delete row.dataset.busy;
  const made = branchOf(row);
  if (!made.length) {
    row.classList.remove("grown");
    say(rows.dataset.alone);
    return false;
  }
  addToggle(row).setAttribute("aria-expanded", true);
  setElsewhere(made, true);
  return true;
}

/** Takes the tree under a row away. */
export function prune(row) {
  if (!isGrown(row)) return false;
  const made = branchOf(row);
  row.classList.remove("grown");
  row.querySelector(".twist").setAttribute("aria-expanded", false);
  setElsewhere(made, false);
  for (const li of made) li.remove();
  return true;
}

function branchOf(row) {
  const made = [];
  for (let li = row.nextElementSibling; li && isBranch(li); li = li.nextElementSibling) made.push(li);
  return made;
}

/** What stands in an open tree is pale at its own place: taking it away would move the tree. */
function setElsewhere(made, isElsewhere) {
  const ids = new Set(made.map((li) => li.dataset.id));
  for (const li of rows.children) {
    if (!isBranch(li) && ids.has(li.dataset.id)) li.classList.toggle("elsewhere", isElsewhere);
  }
}

function addToggle(row) {
  const there = row.querySelector(".twist");
  if (there) return there;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "twist";
  button.tabIndex = -1; // the arrow keys do it, from the row
  button.title = rows.dataset.tree;
  button.setAttribute("aria-label", rows.dataset.tree);
  button.setAttribute("aria-expanded", false);
  row.querySelector(".sig").prepend(button);
  return button;
}

// Runs: rows alike that stand beside each other are one line, "× 5,000", that can be opened.
//
// All rows of a run stay in the list, hidden but for its newest, until the room is needed: then the oldest become one
// "+4,132 more" at its end, as the server puts there what a frame has no room for. So the count is always the sum of
// what is there, and opening reads on from the server.

import { number } from "./locale.js";
import { words } from "./words.js";

const rows = document.getElementById("rows");
const buttons = new WeakMap(); // the button of a run, by the row that has it
const opened = new WeakSet(); // members of open runs

let folding = true;
let runs = []; // of the last look: {members}, from top to bottom, those of more than one

export function setFolding(wanted) {
  folding = wanted;
}

/** Looks at all rows anew, after any came or went. Returns the visible ones, from top to bottom. */
export function fold() {
  const lines = [];
  runs = [];
  let run = null;
  for (const li of rows.children) {
    if (run && li.dataset.run === run.name && !isApart(li)) {
      run.members.push(li);
      continue;
    }
    if (run) settle(run, lines);
    run = { name: isHead(li) ? li.dataset.run : null, members: [li] };
  }
  if (run) settle(run, lines);
  return lines;
}

/** Puts the oldest hidden rows of runs into words until the list has *excess* elements less, as far as that goes. */
export function condense(excess) {
  for (const run of runs.toReversed()) {
    if (excess <= 0) return;
    if (!run.isOpen) excess -= absorb(run.members, Math.max(1, run.members.length - excess - 1));
  }
}

/** The run that a row belongs to, when it is one of several. */
export function runOf(row) {
  return runs.find(({ members }) => members.includes(row));
}

export function setOpen(run, isOpen) {
  for (const li of run.members) {
    if (isOpen) opened.add(li);
    else opened.delete(li);
  }
}

/** A row whose tree is shown stands for itself. */
function isApart(li) {
  return !folding || li.classList.contains("grown") || li.matches(".branch, .elsewhere");
}

function isHead(li) {
  return li.classList.contains("row") && !isApart(li);
}

function settle(run, lines) {
  const { members } = run;
  const [head] = members;
  if (members.length === 1) {
    show(head, false);
    head.classList.remove("in-run");
    takeButton(members)?.remove();
    lines.push(head);
    return;
  }
  runs.push(run);
  run.isOpen = members.some((li) => opened.has(li));
  if (run.isOpen) setOpen(run, true);
  else absorbAfterMore(members);
  const count = members.reduce((sum, li) => sum + Number(li.dataset.count ?? 1), 0);
  label(head, members, count, run.isOpen);
  members.forEach((li, index) => {
    show(li, index > 0 && !run.isOpen);
    li.classList.toggle("in-run", index > 0);
    if (index === 0 || run.isOpen) lines.push(li);
  });
  head.toggleAttribute("data-holds", !run.isOpen && members.some((li, index) => index && li.hasAttribute("aria-current")));
  if (members.includes(document.activeElement) && document.activeElement.classList.contains("folded")) {
    head.focus({ preventScroll: true });
  }
}

function show(li, isHidden) {
  if (li.classList.contains("folded") !== isHidden) li.classList.toggle("folded", isHidden);
  if (!isHidden && li.hasAttribute("data-holds")) li.removeAttribute("data-holds");
}

function label(head, members, count, isOpen) {
  const button = takeButton(members) ?? newButton();
  if (button.closest("li") !== head) {
    buttons.delete(button.closest("li"));
    buttons.set(head, button);
    const sender = head.querySelector(".snd");
    const hasFocus = document.activeElement === button;
    sender.insertBefore(button, sender.children[1] ?? null);
    if (hasFocus) button.focus({ preventScroll: true });
  }
  const times = `× ${number.format(count)}`;
  if (button.textContent !== times) button.textContent = times;
  button.setAttribute("aria-expanded", isOpen);
}

function takeButton(members) {
  for (const li of members) {
    const button = buttons.get(li);
    if (button) return button;
  }
  return null;
}

function newButton() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "fold";
  button.tabIndex = -1; // the arrow keys do it, from the row
  button.title = rows.dataset.run;
  return button;
}

/** What is older than a "more" of the run joins it: nobody sees either. */
function absorbAfterMore(members) {
  const first = members.findIndex((li) => li.classList.contains("more"));
  if (first >= 0 && first < members.length - 1) absorb(members, first);
}

/** Makes one "more" of the members from *index* on. Returns how many elements that saved. */
function absorb(members, index) {
  const gone = members.slice(index);
  if (gone.length < 2) return 0;
  const ids = gone.flatMap(({ dataset }) => [Number(dataset.first ?? dataset.id), Number(dataset.last ?? dataset.id)]);
  const more = gone.find((li) => li.classList.contains("more")) ?? newMore();
  const count = gone.reduce((sum, li) => sum + Number(li.dataset.count ?? 1), 0);
  Object.assign(more.dataset, { first: Math.min(...ids), last: Math.max(...ids), count, run: gone[0].dataset.run });
  more.querySelector("button").textContent = words(rows, "more", { n: count });
  gone[0].before(more);
  for (const li of gone) if (li !== more) li.remove();
  members.splice(index, gone.length, more);
  return gone.length - 1;
}

function newMore() {
  const more = document.createElement("li");
  const button = document.createElement("button");
  more.className = "more folded in-run";
  more.dataset.reason = "slow reader";
  button.type = "button";
  button.title = rows.dataset.moreHint;
  more.append(button);
  return more;
}

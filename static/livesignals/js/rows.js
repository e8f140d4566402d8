// The list holds a bounded window of rows, and keeps still under a reader who has scrolled into it.
import { on, standing } from "./socket.js";
import { mark, grow, isBranch, isGrown, prune, trunkOf } from "./nesting.js";
import { pause } from "./pause.js";
import { condense, fold, runOf, setOpen } from "./runs.js";
import { emptiness } from "./searching.js";
import { tell } from "./status.js";
import { isRelative, localise, relate } from "./times.js";

const LIMIT = 200;
const HELD_LIMIT = 1000; // while paused: what was opened, and frames that were on their way

const list = document.getElementById("list");
const rows = document.getElementById("rows");
const newest = document.getElementById("newest");
const rowHeight = parseFloat(getComputedStyle(list).getPropertyValue("--row"));

let scrolled = 0; // scrollTop before the rows that are being put in
let lines = []; // the rows that are to be seen, from top to bottom
let linesBefore = 0;

on("rows:before", ({ reset, content }) => {
  // Layout is clean here, so this read is free; after the swap it would force one.
  scrolled = list.scrollTop;
  linesBefore = lines.length;
  if (reset) {
    scrolled = 0;
    lines = [];
    list.scrollTop = 0;
    if (!content) rows.replaceChildren(); // hx-ws never swaps in nothing
  }
});

on("rows", ({ reset, older }) => {
  look();
  if (!reset && !older && scrolled > 0) {
    const added = lines.length - linesBefore;
    list.scrollTop = scrolled + added * rowHeight;
    const visible = Math.ceil((scrolled + list.clientHeight) / rowHeight) + added;
    if (visible > LIMIT) pause(); // what is being read is not taken away
  }
  trim();
  settle();
});

on("scanned", settle);
on("state", ({ retained }) => {
  if (!retained) settle();
});

on("outcome", ({ transactions }) => {
  let isChanged = false;
  for (const row of rows.querySelectorAll("[data-tx]")) {
    const state = transactions[row.dataset.tx];
    if (!state) continue;
    if (state !== "unknown") delete row.dataset.tx;
    if (state === "rolled_back") markRolledBack(row);
    else markEnded(row, state);
    isChanged = true;
  }
  if (!isChanged) return;
  look();
  trim();
});

/** Brings the list into order after a person's doing, which may have moved every row. */
export function arrange() {
  look();
  trim();
  list.dispatchEvent(new Event("arranged"));
}

function look() {
  mark();
  lines = fold();
  if (isRelative()) relate(lines);
  changes.takeRecords();
}

function trim() {
  const limit = standing.paused ? HELD_LIMIT : LIMIT;
  condense(rows.childElementCount - limit);
  while (lines.length > limit) {
    lines.pop();
    const last = lines.at(-1);
    while (rows.lastElementChild !== last && !isHiddenPartOf(rows.lastElementChild, last)) rows.lastElementChild.remove();
  }
  changes.takeRecords();
}

/** Whether the element is not seen, and goes with that line. */
function isHiddenPartOf(li, line) {
  if (!li.classList.contains("folded")) return false;
  return runOf(li)?.members[0] === line;
}

// Rows that others put in. They are not trimmed here: this comes before searching.js makes room for older ones above.
const changes = new MutationObserver(look);
changes.observe(rows, { childList: true });

/** Says why there are no rows, once it is known. */
function settle() {
  list.dataset.empty = standing.replay ? "before" : standing.filter ? emptiness() : "nothing";
}

function markRolledBack(row) {
  if (row.classList.contains("rb")) return;
  row.classList.add("rb");
  row.dataset.run += "-rb"; // as the server names it
  row.querySelector(".tx")?.remove();
  const tag = document.createElement("b");
  tag.className = "tag hot";
  tag.textContent = rows.dataset.rolledBack;
  row.querySelector(".snd").append(tag);
}

function markEnded(row, state) {
  const mark = row.querySelector(".tx");
  if (!mark) return;
  mark.textContent = state === "committed" ? "✓" : "?";
  mark.title = state === "committed" ? rows.dataset.committed : rows.dataset.unknown;
}

document.addEventListener("htmx:before:swap", ({ detail }) => {
  for (const { fragment } of detail.tasks) localise(fragment);
});

/** Whether a row has something closed in it: its run, or the sends that it made. */
export const holdsMore = (row) => runOf(row)?.isOpen === false || (!isGrown(row) && !!row.querySelector(".twist"));

/** Whether a row, or what it is part of, is open. */
export const isInside = (row) => isGrown(row) || isBranch(row) || !!runOf(row)?.isOpen;

/** Opens what a row holds: its run, else the tree below it. */
export async function unfold(row) {
  const run = runOf(row);
  if (run && !run.isOpen) setOpen(run, true);
  else await grow(row);
  arrange();
}

/** The opposite; of what is inside it closes what is around. Returns the row to go on from. */
export function foldUp(row) {
  const run = runOf(row);
  let stays = row;
  if (isGrown(row)) prune(row);
  else if (isBranch(row)) prune((stays = trunkOf(row)));
  else {
    setOpen(run, false);
    [stays] = run.members;
  }
  arrange();
  return stays;
}

/** Shows the sends that a row made, though none of them is known here, or takes them away. */
export async function toggleTree(row) {
  if (!prune(row)) await grow(row);
  arrange();
}

rows.addEventListener("click", ({ target }) => {
  const row = target.closest(".row");
  if (!row || !target.closest(".fold, .twist")) return;
  if (target.closest(".twist")) {
    toggleTree(row);
    return;
  }
  setOpen(runOf(row), target.closest(".fold").getAttribute("aria-expanded") !== "true");
  arrange();
});

// Rows that stand for many: opening them means to read, so the list is held meanwhile.
rows.addEventListener("click", async ({ target }) => {
  const more = target.closest("li.more");
  if (!more || !target.closest("button") || more.dataset.busy) return;
  more.dataset.busy = "";
  pause();
  const { first, last } = more.dataset;
  const { run } = more.dataset;
  const query = new URLSearchParams({ epoch: standing.epoch, first, last, filter: standing.filter });
  await htmx.ajax("GET", `${document.body.dataset.base}range/?${query}`, { source: list, target: more, swap: "outerHTML" });
  delete more.dataset.busy; // when it is still there, it can be tried again
  const rest = rows.querySelector(`.more[data-first="${first}"]:not([data-run])`);
  if (run && rest) rest.dataset.run = run; // a part of what is alike is alike
  arrange();
});

list.addEventListener("htmx:before:response", (event) => {
  if (event.detail.ctx.response.status < 400) return;
  event.preventDefault(); // the row stays
  tell(rows.dataset.notOpened);
});

list.addEventListener("htmx:error", () => tell(rows.dataset.notOpened));

list.addEventListener("scroll", () => {
  newest.hidden = list.scrollTop < rowHeight || standing.paused || standing.replay;
}, { passive: true });

newest.addEventListener("click", () => {
  list.scrollTop = 0;
  list.focus({ preventScroll: true }); // the button goes
});

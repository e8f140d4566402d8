// The list holds a bounded window of rows, and keeps still under a reader who has scrolled into it.
import { on, standing } from "./socket.js";
import { pause } from "./pause.js";
import { emptiness } from "./searching.js";
import { tell } from "./status.js";

const LIMIT = 200;
const HELD_LIMIT = 1000; // while paused: what was opened, and frames that were on their way

const list = document.getElementById("list");
const rows = document.getElementById("rows");
const newest = document.getElementById("newest");
const rowHeight = parseFloat(getComputedStyle(list).getPropertyValue("--row"));
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

let scrolled = 0; // scrollTop before the rows that are being put in
let countBefore = 0;

on("rows:before", ({ reset, content }) => {
  // Layout is clean here, so this read is free; after the swap it would force one.
  scrolled = list.scrollTop;
  countBefore = rows.childElementCount;
  if (reset) {
    scrolled = countBefore = 0;
    list.scrollTop = 0;
    if (!content) rows.replaceChildren(); // hx-ws never swaps in nothing
  }
});

on("rows", ({ reset, older }) => {
  if (!reset && !older && scrolled > 0) {
    const added = rows.childElementCount - countBefore;
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
  for (const row of rows.querySelectorAll("[data-tx]")) {
    const state = transactions[row.dataset.tx];
    if (!state) continue;
    delete row.dataset.tx;
    if (state === "rolled_back") markRolledBack(row);
  }
});

function trim() {
  const limit = standing.paused ? HELD_LIMIT : LIMIT;
  while (rows.childElementCount > limit) rows.lastElementChild.remove();
}

/** Says why there are no rows, once it is known. */
function settle() {
  list.dataset.empty = standing.filter ? emptiness() : "nothing";
}

function markRolledBack(row) {
  if (!row || row.classList.contains("rb")) return;
  row.classList.add("rb");
  const tag = document.createElement("b");
  tag.className = "tag hot";
  tag.textContent = rows.dataset.rolledBack;
  row.querySelector(".snd").append(tag);
}

/** The server writes UTC; people read their own clock. Done in the fragment, before it is laid out. */
function localise(fragment) {
  for (const time of fragment.querySelectorAll(".row time")) {
    time.firstChild.data = clock.format(new Date(time.dateTime));
  }
  for (const time of fragment.querySelectorAll("time[data-full]")) {
    time.textContent = day.format(new Date(time.dateTime)) + time.dateTime.slice(19, 26);
    time.title = time.dateTime;
  }
}

document.addEventListener("htmx:before:swap", ({ detail }) => {
  for (const { fragment } of detail.tasks) localise(fragment);
});

// Rows that stand for many: opening them means to read, so the list is held meanwhile.
rows.addEventListener("click", async ({ target }) => {
  const more = target.closest("li.more");
  if (!more || !target.closest("button") || more.dataset.busy) return;
  more.dataset.busy = "";
  pause();
  const { first, last } = more.dataset;
  const query = new URLSearchParams({ epoch: standing.epoch, first, last, filter: standing.filter });
  await htmx.ajax("GET", `${document.body.dataset.base}range/?${query}`, { source: list, target: more, swap: "outerHTML" });
  delete more.dataset.busy; // when it is still there, it can be tried again
  trim();
});

list.addEventListener("htmx:before:response", (event) => {
  if (event.detail.ctx.response.status < 400) return;
  event.preventDefault(); // the row stays
  tell(rows.dataset.notOpened);
});

list.addEventListener("htmx:error", () => tell(rows.dataset.notOpened));

list.addEventListener("scroll", () => {
  newest.hidden = list.scrollTop < rowHeight || standing.paused;
}, { passive: true });

newest.addEventListener("click", () => {
  list.scrollTop = 0;
});

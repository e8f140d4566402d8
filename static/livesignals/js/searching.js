// How far back the list reaches, and further back on demand. The server searches; rows that it finds come in below.
import { locale } from "./locale.js";
import { pause } from "./pause.js";
import { on, send, standing } from "./socket.js";
import { words } from "./words.js";

const HELD_LIMIT = 1000; // as rows.js has while the list is held

const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const list = document.getElementById("list");
const rows = document.getElementById("rows");
const status = document.getElementById("searched");
const stopButton = document.getElementById("stop");
const further = document.getElementById("further");
const rowHeight = parseFloat(getComputedStyle(list).getPropertyValue("--row"));

let search = null; // what the server said of it last
let shown = 0; // matching sends since the list was begun anew
let lowest = Infinity; // the lowest id that came into the list since then
let countBefore = 0;
let isCut = false; // whether the list lost older rows than it has, to make room

/** What an empty list means: searching, stopped or unmatched. */
export function emptiness() {
  if (search?.running) return "searching";
  return search && !search.exhausted ? "stopped" : "unmatched";
}

/** The lowest id that the list holds; Infinity without any. */
function oldest() {
  for (let row = rows.lastElementChild; row; row = row.previousElementSibling) {
    const id = row.dataset.first ?? row.dataset.id;
    if (id) return Number(id);
  }
  return Infinity;
}

/** Whether rows that were the last ones made room for newer ones. */
const hasLost = () => rows.childElementCount > 0 && oldest() > lowest;

// Registered before rows.js takes away what is too much.
on("rows:before", ({ reset }) => {
  countBefore = rows.childElementCount;
  isCut = !reset && hasLost();
});

on("rows", (message) => {
  if (message.reset) {
    shown = 0;
    lowest = Infinity;
  }
  if (message.older && isCut && !standing.paused) {
    // Between these and the last row there were others.
    while (rows.childElementCount > countBefore) rows.lastElementChild.remove();
    stop();
    return;
  }
  shown += message.shown;
  lowest = Math.min(lowest, oldest());
  if (message.older) makeRoomAbove();
  show();
});

/** Who reads on downwards does not need the rows far above; the server begins anew when the list is let go. */
function makeRoomAbove() {
  const tooMany = rows.childElementCount - HELD_LIMIT;
  if (!standing.paused || tooMany <= 0) return;
  const { scrollTop } = list;
  for (let n = 0; n < tooMany; n++) rows.firstElementChild.remove();
  list.scrollTop = scrollTop - tooMany * rowHeight;
}

on("searched", (message) => {
  search = message;
  if (!rows.childElementCount && standing.filter && list.dataset.empty !== "loading") list.dataset.empty = emptiness();
  show();
});

on("close", () => {
  if (search?.running) search = { ...search, running: false }; // the next socket may be told to go on
  show();
});

function show() {
  const { running = false, exhausted = true, to_ts: ts } = search ?? {};
  const [back, found] = status.children;
  back.textContent = ts && !exhausted ? words(status, "back", { time: time(ts) }) : "";
  found.textContent = words(status, exhausted ? "all" : running && !ts ? "searching" : "part", { n: shown });
  status.hidden = !standing.filter || !search;
  stopButton.hidden = !running;
  further.hidden = !search || (exhausted && !rows.childElementCount);
  further.firstElementChild.hidden = exhausted || running;
  further.lastElementChild.textContent = exhausted ? further.dataset.end : "";
}

function time(ts) {
  const moment = new Date(ts);
  return (moment.toDateString() === new Date().toDateString() ? clock : day).format(moment);
}

function stop() {
  send({ type: "stop" });
}

further.firstElementChild.addEventListener("click", () => {
  if (rows.childElementCount) pause(); // what is below the window stays only in a list that is held
  const id = hasLost() ? oldest() : search.position;
  lowest = oldest();
  send({ type: "more", epoch: standing.epoch, id });
});

stopButton.addEventListener("click", stop);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !search?.running || event.defaultPrevented) return;
  if (document.querySelector("#filter[aria-expanded=true], :popover-open")) return; // they close first
  event.preventDefault();
  event.stopPropagation();
  stop();
}, { capture: true });

// The bar over the retained time: how many sends and errors there were, the moment that is shown, and a range.
// A click or a drag seeks; with Shift it chooses a range, whose ends are two handles then. Times are µs since 1970.
import { on, send, standing } from "./socket.js";
import { clockOf } from "./moments.js";
import { words } from "./words.js";

const BUCKET_PX = 5;
const SEEK_EVERY_MS = 80;
const STEPS = 1000; // aria-valuemax of the sliders

const bar = document.getElementById("bar");
const [density, errors] = ["density", "errors"].map((id) => document.querySelector(`#${id} path`));
const head = document.getElementById("head");
const chosen = document.getElementById("chosen");
const handles = { from: document.getElementById("from"), to: document.getElementById("to") };
const hover = document.getElementById("hover");

let histogram = null; // {start, end, counts, errors}
let shown = null; // the moment that is shown; null: live
let range = null; // {from, to}
let drag = null; // what is being moved: {what: "head" | "from" | "to" | "range", ...}
let seekAt = 0;
let seekTimer = null;

standing.buckets = Math.min(Math.max(Math.round(bar.clientWidth / BUCKET_PX), 40), 300);

/** Moves the marks to the moment that is shown (null: live) and to a range (or null). */
export function place(us, chosenRange, isPlaying = false) {
  shown = us;
  range = chosenRange;
  head.toggleAttribute("data-gliding", isPlaying);
  if (!drag) paintMarks();
}

on("histogram", (message) => {
  histogram = message;
  density.parentElement.setAttribute("viewBox", `0 0 ${message.counts.length} 1`);
  errors.parentElement.setAttribute("viewBox", `0 0 ${message.counts.length} 1`);
  density.setAttribute("d", columns(message.counts, true));
  errors.setAttribute("d", columns(message.errors, false));
  if (!drag) paintMarks();
});

/** Columns of an SVG one high; those that stand grow up, the others hang. The root makes single sends visible too. */
function columns(values, isStanding) {
  const most = Math.sqrt(Math.max(1, ...values));
  return values.map((value, i) => {
    if (!value) return "";
    const height = Math.max(0.08, Math.sqrt(value) / most).toFixed(3);
    return isStanding ? `M${i + 0.1} 1v-${height}h.8v${height}z` : `M${i + 0.1} 0v${height}h.8v-${height}z`;
  }).join("");
}

// Times and places

const fraction = (us) => Math.min(Math.max((us - histogram.start) / (histogram.end - histogram.start), 0), 1);
const step = () => (histogram.end - histogram.start) / histogram.counts.length;

function timeAt({ clientX }) {
  const { left, width } = bar.getBoundingClientRect();
  const at = Math.min(Math.max((clientX - left) / (width - 1), 0), 1); // the last pixel is the end
  return Math.round(histogram.start + at * (histogram.end - 1 - histogram.start));
}

function paintMarks() {
  if (!histogram) return;
  mark(head, shown === null ? 1 : fraction(shown), shown === null ? head.dataset.live : clockOf(shown));
  for (const element of [chosen, handles.from, handles.to]) element.hidden = !range;
  if (!range) return;
  const [from, to] = [fraction(range.from), fraction(range.to)];
  chosen.style.left = `${from * 100}%`;
  chosen.style.right = `${(1 - to) * 100}%`;
  mark(handles.from, from, clockOf(range.from));
  mark(handles.to, to, clockOf(range.to));
}

function mark(element, at, words) {
  element.style.left = `${at * 100}%`;
  element.setAttribute("aria-valuenow", Math.round(at * STEPS));
  element.setAttribute("aria-valuetext", words);
}

// Pointer

bar.addEventListener("pointerdown", (event) => {
  if (!histogram || event.button !== 0) return;
  const us = timeAt(event);
  const handle = event.target.closest(".handle");
  if (handle) drag = { what: handle.id };
  else if (event.shiftKey) drag = { what: "range", began: us, before: range };
  else drag = { what: "head" };
  bar.setPointerCapture(event.pointerId);
  head.removeAttribute("data-gliding");
  move(us);
});

bar.addEventListener("pointermove", (event) => {
  if (!histogram) return;
  const us = timeAt(event);
  showHover(event, us);
  if (drag) move(us);
});

bar.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { what, before } = drag;
  drag = null;
  if (what === "head") seek(timeAt(event), true);
  else if (range.to - range.from >= step() / 2) choose(range);
  else range = before ?? null; // a click is no range
  paintMarks();
});

bar.addEventListener("pointercancel", () => {
  drag = null;
  paintMarks();
});

bar.addEventListener("pointerleave", () => {
  hover.hidden = true;
});

function move(us) {
  if (drag.what === "head") {
    shown = us;
    seek(us);
  } else if (drag.what === "range") {
    range = { ...range, from: Math.min(drag.began, us), to: Math.max(drag.began, us) };
  } else {
    pull(drag.what, us);
  }
  paintMarks();
}

/** Moves one end of the range, up to the other. */
function pull(end, us) {
  range = { ...range };
  if (end === "from") range.from = Math.min(us, range.to - step());
  else range.to = Math.max(us, range.from + step());
}

/** While the pointer moves, some of the moments it passes; the last one always. */
function seek(us, isLast = false) {
  clearTimeout(seekTimer);
  const wait = seekAt + SEEK_EVERY_MS - Date.now();
  if (!isLast && wait > 0) {
    seekTimer = setTimeout(() => seek(us), wait);
    return;
  }
  seekAt = Date.now();
  send({ type: "seek", ts: us });
}

function choose({ from, to }) {
  send({ type: "range", from: Math.round(from), to: Math.round(to), loop: standing.replay?.loop ?? false });
}

function showHover({ clientX }, us) {
  const { left, width } = bar.getBoundingClientRect();
  const i = Math.min(Math.floor((us - histogram.start) / step()), histogram.counts.length - 1);
  const [n, raised] = [histogram.counts[i], histogram.errors[i]];
  const sends = words(bar, "sends", { n, time: clockOf(us, { isShort: true }) });
  hover.textContent = raised ? `${sends}, ${words(bar, "errors", { n: raised })}` : sends;
  hover.hidden = false;
  const room = hover.offsetWidth / 2;
  hover.style.left = `${Math.min(Math.max(clientX - left, room), width - room)}px`;
}

// Keys

const MOVES = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

bar.addEventListener("keydown", (event) => {
  if (!histogram || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!Object.hasOwn(MOVES, event.key)) return;
  event.preventDefault();
  const moved = (us) => Math.min(Math.max(us + MOVES[event.key] * step(), histogram.start), histogram.end - 1);
  if (event.target === head) {
    shown = Math.round(moved(shown ?? histogram.end - 1));
    seek(shown, true);
  } else {
    pull(event.target.id, moved(range[event.target.id]));
    choose(range);
  }
  paintMarks();
});

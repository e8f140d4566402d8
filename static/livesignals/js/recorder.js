// The recorder: plays, steps and seeks in the history. Where it stands is in the page's URL, and goes with each hello.
import { place } from "./bar.js";
import { selectedRow } from "./detail.js";
import { clockOf, length, momentOf } from "./moments.js";
import { on, send, standing } from "./socket.js";
import { show, tell } from "./status.js";
import { news, words } from "./words.js";

const URL_EVERY_MS = 2_000; // while it plays; browsers bar pages that write it all the time

const byId = (id) => document.getElementById(id);
const [playButton, speed, by, position, bar, head] = ["play", "speed", "by", "position", "bar", "head"].map(byId);
const [silence, liveButton, loop, evicted, nearest] = ["silence", "live", "loop", "evicted", "nearest"].map(byId);

let latest = null; // the newest moment that is retained, µs
let range = null; // {first, last, from, to}
let told = null; // the place that the server told last
let asked = null; // the speed that was chosen and that the server has not said yet
let nearestId = null;
let writtenAt = 0;

read();

/** The range that is chosen, or null. */
export const chosen = () => range;

// What keys and buttons do

export function step({ back, by: unit = by.value }) {
  evicted.hidden = true;
  if (!standing.replay && !back) return; // live: nothing comes after the newest
  send({ type: "step", back, by: unit });
}

export function live() {
  evicted.hidden = true;
  if (standing.replay) send({ type: "live" });
}

export function changeSpeed(by) {
  const index = Math.min(Math.max(speed.selectedIndex + by, 0), speed.options.length - 1);
  speed.selectedIndex = index;
  sendSpeed();
}

function sendSpeed() {
  asked = speed.value;
  send({ type: "speed", speed: asked === "max" ? "max" : Number(asked) });
}

playButton.addEventListener("click", () => {
  const row = selectedRow();
  if (!standing.replay && row) send({ type: "seek", id: Number(row.dataset.id) }); // plays on from there
  send({ type: standing.replay?.playing ? "pause" : "play" });
});

byId("back").addEventListener("click", () => step({ back: true }));
byId("forward").addEventListener("click", () => step({ back: false }));
speed.addEventListener("change", sendSpeed);
liveButton.addEventListener("click", live);

loop.addEventListener("click", () => {
  const isLoop = loop.getAttribute("aria-pressed") !== "true";
  send({ type: "range", first: range.first, last: range.last, loop: isLoop });
});

byId("clear-range").addEventListener("click", () => send({ type: "range" }));

position.addEventListener("focus", () => position.select());

position.addEventListener("keydown", (event) => {
  if (event.key === "Escape") position.blur();
  if (event.key !== "Enter") return;
  const text = position.value.trim();
  const id = /^#?(\d{1,15})$/.exec(text)?.[1];
  const ts = id ? null : momentOf(text, latest);
  if (!id && ts === null) {
    tell(position.dataset.refused);
    return;
  }
  position.blur();
  evicted.hidden = true;
  send(id ? { type: "seek", id: Number(id) } : { type: "seek", ts });
});

position.addEventListener("blur", showPosition);

// What the server says

// A reader of this socket knows only what its hello said: nothing, while the page is live.
on("open", () => {
  if (asked || (!standing.replay && speed.value !== "1")) sendSpeed();
  if (standing.replay) return;
  range = null;
  place(null, null);
  showRange({ loop: false });
});

on("replay", (message) => {
  told = message;
  range = message.range && { ...message.range };
  standing.replay = message.on
    ? {
        epoch: message.epoch,
        id: message.id,
        ts: message.ts,
        first: range?.first ?? null,
        last: range?.last ?? null,
        loop: message.loop,
        speed: message.speed,
        playing: message.playing,
      }
    : null;
  place(message.on ? message.ts : null, range, message.playing);
  showDeck(message);
  showRange(message);
  showPosition();
  showWaiting({});
  write(message);
  show();
});

on("state", (message) => {
  latest = message.window ? Date.parse(message.window[1]) * 1000 : null;
  byId("deck").toggleAttribute("data-empty", !latest);
  if (standing.replay) showWaiting(message);
});

on("evicted", ({ what, id, ts }) => {
  evicted.dataset.what = what;
  evicted.querySelector("span").textContent = evicted.dataset[what];
  nearestId = id;
  nearest.hidden = id === null || what === "beginning";
  if (id !== null) nearest.textContent = words(nearest, "words", { time: clockOf(ts) });
  evicted.hidden = false;
});

nearest.addEventListener("click", () => {
  evicted.hidden = true;
  send({ type: "seek", id: nearestId });
});

// Whoever does something else has read it.
for (const element of [byId("dismiss"), playButton, bar]) {
  element.addEventListener("click", () => {
    evicted.hidden = true;
  });
}

function showDeck({ playing, speed: said, silence: silent }) {
  playButton.toggleAttribute("data-playing", playing);
  const does = playing ? playButton.dataset.pause : playButton.dataset.play;
  playButton.setAttribute("aria-label", does);
  playButton.title = `${does} (Space)`;
  if (asked === String(said)) asked = null;
  if (asked === null) speed.value = String(said); // another one was said before the choice was heard
  silence.hidden = silent === null;
  if (silent !== null) {
    const label = words(silence, "words", { time: length(silent) });
    if (silence.textContent !== label) silence.textContent = label;
    const [room, width] = [silence.offsetWidth / 2, bar.clientWidth];
    silence.style.left = `${Math.min(Math.max((width * parseFloat(head.style.left)) / 100, room), width - room)}px`;
  }
}

function showRange({ loop: isLoop }) {
  byId("range-tools").hidden = !range;
  byId("range-hint").hidden = Boolean(range);
  loop.setAttribute("aria-pressed", isLoop);
  if (!range) return;
  const [from, to] = [range.from, range.to].map((us) => clockOf(us, { isShort: true }));
  const element = byId("range-words");
  element.textContent = words(element, "words", { from, to });
}

function showPosition() {
  if (document.activeElement === position) return;
  position.value = standing.replay?.ts ? clockOf(standing.replay.ts) : "";
}

function showWaiting({ waiting = null, waiting_errors: errors = 0 }) {
  const element = liveButton.querySelector("span");
  if (!standing.replay) element.textContent = "";
  else if (waiting !== null) element.textContent = news(element, waiting, errors);
}

// The URL: at, range, loop and the epoch they belong to

function read() {
  const query = new URLSearchParams(location.search);
  const [first, last] = (query.get("range") ?? "").split("-").map(Number);
  const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(last) && first > 0;
  const id = Number(query.get("at") ?? (isRange ? last : NaN));
  if (!query.has("epoch") || !Number.isSafeInteger(id) || id < 0) return;
  standing.replay = { epoch: query.get("epoch"), id, loop: query.has("loop"), playing: false };
  if (isRange) Object.assign(standing.replay, { first, last });
}

// An entry of the browser's history may name an older place; it is the filter that goes back.
addEventListener("popstate", () => told && write({ ...told, playing: false }));

function write({ epoch, loop: isLoop, playing }) {
  if (playing && Date.now() - writtenAt < URL_EVERY_MS) return;
  writtenAt = Date.now();
  const url = new URL(location);
  const set = (name, value) => (value ? url.searchParams.set(name, value) : url.searchParams.delete(name));
  set("at", standing.replay && String(standing.replay.id));
  set("range", range && `${range.first}-${range.last}`);
  set("loop", range && isLoop && "on");
  set("epoch", (standing.replay || range) && epoch);
  if (url.href !== location.href) history.replaceState(null, "", url);
}

// The recorder: plays, steps and seeks in the history. Where it stands is in the page's URL, and goes with each hello.
//
// Whether it plays, how fast, and whether a range loops are as they were asked for last, whatever an older answer says.
import { place } from "./bar.js";
import { selectedRow } from "./detail.js";
import { clockOf, length, momentOf } from "./moments.js";
import { on, send, standing } from "./socket.js";
import { show, tell } from "./status.js";
import { news, words } from "./words.js";

const URL_EVERY_MS = 2_000; // while it plays; browsers bar pages that write it all the time
const LIVE = { on: false, playing: false, speed: 1, silence: null, range: null, loop: false }; // what a new reader knows

const byId = (id) => document.getElementById(id);
const [playButton, speed, by, position, bar, head] = ["play", "speed", "by", "position", "bar", "head"].map(byId);
const [silence, liveButton, loop, evicted, nearest] = ["silence", "live", "loop", "evicted", "nearest"].map(byId);

let latest = null; // the newest moment that is retained, µs
let range = null; // {first, last, from, to}
let told = null; // what the server said last; null until its answer to a link
let asked = {}; // playing, speed and loop, as far as they were asked for and the server has not said so yet
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
  const chosen = speed.value === "max" ? "max" : Number(speed.value);
  ask({ speed: chosen }, { type: "speed", speed: chosen });
}

const isPlaying = () => asked.playing ?? standing.replay?.playing ?? false;

export function play(playing = true) {
  if (playing !== isPlaying()) ask({ playing }, { type: playing ? "play" : "pause" });
}

export const togglePlaying = () => play(!isPlaying());

function ask(wish, message) {
  Object.assign(asked, wish);
  if (standing.replay) Object.assign(standing.replay, wish); // a hello says it too
  send(message);
  showDeck();
}

/** What the server said last, but for what was asked of it since. */
const held = () => ({ ...(told ?? LIVE), ...asked });

playButton.addEventListener("click", () => {
  const row = selectedRow();
  if (!standing.replay && !isPlaying() && row) send({ type: "seek", id: Number(row.dataset.id) }); // plays on from there
  togglePlaying();
});

byId("back").addEventListener("click", () => step({ back: true }));
byId("forward").addEventListener("click", () => step({ back: false }));
speed.addEventListener("change", sendSpeed);
liveButton.addEventListener("click", live);

loop.addEventListener("click", () => {
  const isLoop = loop.getAttribute("aria-pressed") !== "true";
  ask({ loop: isLoop }, { type: "range", first: range.first, last: range.last, loop: isLoop });
});

byId("clear-range").addEventListener("click", () => send({ type: "range" }));

position.addEventListener("focus", () => position.select());

position.addEventListener("keydown", (event) => {
  if (event.key === "Escape") position.blur();
  if (event.key !== "Enter") return;
  const text = position.value.trim();
  const id = /^#?(\d{1,15})$/.exec(text)?.[1];
  const ts = id ? null : momentOf(text, latest ?? Date.now() * 1000); // null: the server has not said yet
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
  if (standing.replay) return;
  told = LIVE;
  asked = {};
  range = null;
  place(null, null);
  showRange();
  if (speed.value === "1") showDeck();
  else sendSpeed();
});

on("replay", (message) => {
  told = message;
  range = message.range && { ...message.range };
  for (const wish in asked) if (asked[wish] === message[wish]) delete asked[wish];
  const { playing, speed: pace, loop: isLoop } = held();
  standing.replay = message.on
    ? {
        epoch: message.epoch,
        id: message.id,
        ts: message.ts,
        first: range?.first ?? null,
        last: range?.last ?? null,
        loop: isLoop,
        speed: pace,
        playing,
      }
    : null;
  place(message.on ? message.ts : null, range, playing);
  showDeck();
  showRange();
  showPosition();
  showWaiting({});
  write(held());
  show();
});

// What was asked for may not have been done.
for (const type of ["error", "evicted"]) {
  on(type, ({ of }) => {
    if (of === "filter") return;
    asked = {};
    showDeck();
  });
}

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

function showDeck() {
  const { playing, speed: pace, loop: isLoop, silence: silent } = held();
  playButton.toggleAttribute("data-playing", playing);
  const does = playing ? playButton.dataset.pause : playButton.dataset.play;
  playButton.setAttribute("aria-label", does);
  playButton.title = `${does} (Space)`;
  speed.value = String(pace);
  loop.setAttribute("aria-pressed", isLoop);
  silence.hidden = silent === null;
  if (silent !== null) {
    const said = words(silence, "words", { time: length(silent) });
    if (silence.textContent !== said) silence.textContent = said;
    const [room, width] = [silence.offsetWidth / 2, bar.clientWidth];
    silence.style.left = `${Math.min(Math.max((width * parseFloat(head.style.left)) / 100, room), width - room)}px`;
  }
}

function showRange() {
  byId("range-tools").hidden = !range;
  byId("range-hint").hidden = Boolean(range);
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

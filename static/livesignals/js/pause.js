// Pause holds the list still while the server goes on counting. In a replay it holds the recorder's clock.
import { play, togglePlaying } from "./recorder.js";
import { on, send, standing } from "./socket.js";
import { show } from "./status.js";
import { news } from "./words.js";

const list = document.getElementById("list");
const button = document.getElementById("pause");
const waiting = document.getElementById("waiting");

export function pause() {
  if (standing.replay) play(false);
  else if (!standing.paused) set(true);
}

export function resume() {
  if (!standing.paused) return;
  list.scrollTop = 0;
  set(false);
}

export function toggle() {
  if (standing.replay) togglePlaying();
  else if (standing.paused) resume();
  else pause();
}

function set(paused) {
  send({ type: paused ? "pause" : "resume" });
  say(paused);
}

function say(paused) {
  standing.paused = paused;
  button.setAttribute("aria-pressed", paused);
  button.textContent = paused ? button.dataset.resume : button.dataset.pause;
  waiting.hidden = !paused;
  if (paused) document.getElementById("newest").hidden = true;
  count(0, 0);
  show();
}

function count(n, errors) {
  waiting.textContent = news(waiting, n, errors);
}

on("state", (message) => {
  if (standing.paused) count(message.waiting ?? 0, message.waiting_errors ?? 0);
});

// A replay counts by itself what comes meanwhile.
on("replay", ({ on: isOn }) => {
  if (isOn && standing.paused) say(false);
});

button.addEventListener("click", toggle);
waiting.addEventListener("click", () => {
  resume();
  list.focus({ preventScroll: true }); // the button goes
});

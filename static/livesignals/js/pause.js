// Pause holds the list still while the server goes on counting.
import { on, send, standing } from "./socket.js";
import { show } from "./status.js";

const number = new Intl.NumberFormat();
const list = document.getElementById("list");
const button = document.getElementById("pause");
const waiting = document.getElementById("waiting");

export function pause() {
  if (!standing.paused) set(true);
}

export function resume() {
  if (!standing.paused) return;
  list.scrollTop = 0;
  set(false);
}

export function toggle() {
  if (standing.paused) resume();
  else pause();
}

function set(paused) {
  standing.paused = paused;
  send({ type: paused ? "pause" : "resume" });
  button.setAttribute("aria-pressed", paused);
  button.textContent = paused ? button.dataset.resume : button.dataset.pause;
  waiting.hidden = !paused;
  if (paused) document.getElementById("newest").hidden = true;
  count(0, 0);
  show();
}

function count(n, errors) {
  const { none, new: plain, error, errors: many } = waiting.dataset;
  const words = n === 0 ? none : errors === 0 ? plain : errors === 1 ? error : many;
  waiting.textContent = words.replace("{n}", number.format(n)).replace("{errors}", number.format(errors));
}

on("state", (message) => {
  if (standing.paused) count(message.waiting ?? 0, message.waiting_errors ?? 0);
});

button.addEventListener("click", toggle);
waiting.addEventListener("click", resume);

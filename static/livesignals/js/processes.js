// The panel "Processes": read when it is opened, and again as long as it is.
import { number } from "./locale.js";
import { on } from "./socket.js";
import { words } from "./words.js";

const EVERY_MS = 2_000;
const panel = document.getElementById("processes");
const list = document.getElementById("process-list");
const alive = document.querySelector("#processes-button b");
const word = document.querySelector("#processes-button span");
let timer = null;

on("state", ({ processes }) => {
  alive.textContent = number.format(processes);
  word.textContent = words(word, "words", { n: processes });
});

panel.addEventListener("toggle", ({ newState }) => {
  clearInterval(timer);
  if (newState !== "open") return;
  read();
  timer = setInterval(read, EVERY_MS);
});

async function read() {
  let found = panel.dataset.notThere;
  try {
    const answer = await fetch(`${document.body.dataset.base}processes/`);
    if (answer.ok || answer.status === 503) found = document.createRange().createContextualFragment(await answer.text());
  } catch {
    // away
  }
  list.replaceChildren(found);
}

// The panel "Processes": read when it is opened, and again as long as it is.
import { on } from "./socket.js";

const EVERY_MS = 2_000;
const panel = document.getElementById("processes");
const list = document.getElementById("process-list");
const alive = document.querySelector("#processes-button b");
const word = document.querySelector("#processes-button span");
const number = new Intl.NumberFormat();
let timer = null;

on("state", ({ processes }) => {
  alive.textContent = number.format(processes);
  word.textContent = processes === 1 ? word.dataset.one : word.dataset.many;
});

panel.addEventListener("toggle", ({ newState }) => {
  clearInterval(timer);
  if (newState !== "open") return;
  read();
  timer = setInterval(read, EVERY_MS);
});

async function read() {
  let words = panel.dataset.notThere;
  try {
    const answer = await fetch(`${document.body.dataset.base}processes/`);
    if (answer.ok || answer.status === 503) words = document.createRange().createContextualFragment(await answer.text());
  } catch {
    // away
  }
  list.replaceChildren(words);
}

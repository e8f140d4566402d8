// The filter in the page's URL. Back and forward walk through those that were settled on; what is being typed is one
// entry until then, so that it does not flood the browser's history.
import { close, isOpen, open } from "./detail.js";

const SETTLING_MS = 1_500;

const walkers = [];
let isSettled = true; // whether the present entry is to stay
let timer = null;

/** Puts the values of some parameters into the URL. */
export function write(values, settles) {
  const url = new URL(location);
  const query = url.searchParams;
  const isNew = Object.entries(values).some(([name, value]) => (query.get(name) ?? "") !== value);
  if (isNew) {
    for (const [name, value] of Object.entries(values)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    history[isSettled ? "pushState" : "replaceState"](null, "", url);
    isSettled = false;
  }
  hold();
  if (settles) isSettled = true;
  else timer = setTimeout(() => (isSettled = true), SETTLING_MS);
}

/** What is in the URL now is nothing to come back to, not yet at least. */
export function hold() {
  clearTimeout(timer);
}

/** Calls *walker* when a person goes back or forward. */
export function onWalk(walker) {
  walkers.push(walker);
}

addEventListener("popstate", () => {
  hold();
  isSettled = true;
  for (const walk of walkers) walk();
  const [epoch, id] = location.hash.slice(1).split("/");
  if (id) open({ epoch: decodeURIComponent(epoch), id });
  else if (isOpen()) close();
});

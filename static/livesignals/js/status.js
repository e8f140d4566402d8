// One word for how far the page can be trusted. The rest of the page is styled by body[data-state].
import { drop, on, standing } from "./socket.js";

const SILENCE_MS = 12_000; // the server says something at least every 5 s
const ENDINGS = { 4401: "signed-out", 4429: "refused" };
const PROBE_AFTER = 3; // failed attempts
const REFUSAL_MS = 10_000;

const state = document.getElementById("state");
const refusal = document.getElementById("refusal");
let refusalTimer = null;
let connected = false;
let behind = false; // not yet, or no longer, getting what is new, though nobody paused
let unreadable = false; // the journal
let ended = null;
let failures = 0;
let heardAt = Date.now();

export function show() {
  const name = ended ?? current();
  if (document.body.dataset.state === name) return;
  document.body.dataset.state = name;
  state.textContent = state.dataset[name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())];
}

/** Says for a while what was asked for and not done. */
export function tell(text) {
  refusal.textContent = text;
  refusal.hidden = false;
  clearTimeout(refusalTimer);
  refusalTimer = setTimeout(() => (refusal.hidden = true), REFUSAL_MS);
}

function current() {
  if (!connected) return failures ? "reconnecting" : "connecting";
  if (Date.now() - heardAt > SILENCE_MS) return "stale";
  if (unreadable) return "no-journal";
  if (standing.replay) return "replay";
  if (standing.paused) return "paused";
  if (behind) return "catching-up";
  return "recording" in document.body.dataset ? "recording" : "live";
}

/** A refused handshake looks like a server that is away (1006): ask by HTTP which of the two it is. */
async function probe() {
  try {
    const { status } = await fetch(document.body.dataset.base, { method: "HEAD", redirect: "manual" });
    if (status === 403 || status === 404) ended = "signed-out";
    show();
  } catch {
    // away: hx-ws goes on trying
  }
}

on("open", () => {
  connected = true;
  ended = null; // signed in again, in another tab
  behind = true;
  failures = 0;
  heardAt = Date.now();
  show();
});

on("close", (code) => {
  connected = false;
  failures += 1;
  ended = ENDINGS[code] ?? ended;
  show();
  if (failures === PROBE_AFTER && !ended) probe();
});

on("heard", () => {
  heardAt = Date.now();
});

// A hello is answered by one of these.
for (const type of ["filter", "error", "rows", "scanned"]) {
  on(type, () => {
    behind = false;
    show();
  });
}

on("state", ({ live, problem }) => {
  unreadable = Boolean(problem);
  behind = !live && !standing.paused && !standing.replay;
  show();
});

on("error", ({ of, message, expected }) => {
  if (of !== "filter") tell([message, expected].filter(Boolean).join("; "));
});

setInterval(() => {
  show();
  if (document.body.dataset.state === "stale") drop();
}, 1000);

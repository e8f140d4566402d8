// The selected row, and the pane that shows it. Which one it is stands in the URL, as #epoch/id.
import { on } from "./socket.js";

const feed = document.getElementById("feed");
const list = document.getElementById("list");
const rows = document.getElementById("rows");
const pane = document.getElementById("pane");
const detail = document.getElementById("detail");

let selected = null; // {epoch, id}
let isUnanswered = false; // the pane says that the server did not answer

export const isOpen = () => !pane.hidden;

/** The row that is selected, while the list holds it. */
export function selectedRow() {
  return selected && rows.querySelector(`.row[data-id="${CSS.escape(selected.id)}"]:not(.elsewhere)`);
}

/** Gives the focus to the row that is selected, else to the list. */
export const focusList = () => (selectedRow() ?? list).focus({ preventScroll: true });

/** Marks a row; with the pane open, shows it there. */
export function select(row) {
  mark(row.dataset);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if (isOpen()) open(row.dataset);
}

export function open({ epoch, id }) {
  mark({ epoch, id });
  pane.hidden = false;
  feed.dataset.open = "";
  history.replaceState(null, "", `#${encodeURIComponent(epoch)}/${id}`);
  isUnanswered = false;
  if (!detail.hasChildNodes()) say("loading");
  const url = `${document.body.dataset.base}events/${encodeURIComponent(epoch)}/${encodeURIComponent(id)}/`;
  htmx.ajax("GET", url, { source: pane, target: detail, swap: "innerHTML show:none" });
}

export function close() {
  pane.hidden = true;
  delete feed.dataset.open;
  detail.replaceChildren();
  history.replaceState(null, "", location.pathname + location.search);
  focusList();
}

function mark({ epoch, id }) {
  selectedRow()?.removeAttribute("aria-current");
  selected = { epoch, id };
  selectedRow()?.setAttribute("aria-current", "true");
}

function say(what) {
  isUnanswered = what === "failed";
  detail.replaceChildren(document.getElementById(`detail-${what}`).content.cloneNode(true));
}

// Everything that names a send opens it: rows, and the tree in the pane. One listener each, since
// neither is htmx's to process (hx-ignore).
rows.addEventListener("click", ({ target }) => {
  const row = target.closest(".row");
  if (row && !target.closest("a, button")) open(row.dataset); // a button opens what the row holds
});

detail.addEventListener("click", ({ target }) => {
  const node = target.closest("button[data-id]");
  if (node) open(node.dataset);
});

document.getElementById("close").addEventListener("click", close);

pane.addEventListener("htmx:before:response", (event) => {
  const { status } = event.detail.ctx.response;
  if (status < 400 || status === 503) return; // 503: the dashboard's own words about the journal
  event.preventDefault(); // any other error page is not for here
  say(status === 404 ? "gone" : "failed");
});

pane.addEventListener("htmx:error", () => say("failed"));

on("open", () => {
  if (isOpen() && isUnanswered) open(selected);
});

pane.addEventListener("htmx:after:swap", () => {
  pane.scrollTop = 0;
});

// Rows come and go: the mark comes back with its row.
on("rows", () => selectedRow()?.setAttribute("aria-current", "true"));

const [epoch, id] = location.hash.slice(1).split("/");
if (id) addEventListener("DOMContentLoaded", () => setTimeout(() => open({ epoch: decodeURIComponent(epoch), id })));

// The menu "Take away": downloads of what the filter holds, and recordings to open instead of what happens now.
import { locale } from "./locale.js";
import { standing } from "./socket.js";
import { tell } from "./status.js";
import { words } from "./words.js";

const menu = document.getElementById("take-away");
const what = document.getElementById("take-away-what");
const recordings = document.getElementById("recordings");
const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });

menu.addEventListener("toggle", async ({ newState }) => {
  if (newState !== "open") return;
  const { filter } = standing;
  what.textContent = words(what, filter ? "some" : "all", { filter });
  for (const link of menu.querySelectorAll("a[data-format]")) link.href = address(link.dataset.format);
  recordings.replaceChildren(await list());
  localise(recordings);
});

function address(format) {
  const query = new URLSearchParams({ format });
  if (standing.filter) query.set("filter", standing.filter);
  const range = new URLSearchParams(location.search);
  for (const bound of ["from", "to"]) if (range.get(bound)) query.set(bound, range.get(bound));
  return `${document.body.dataset.base}download/?${query}`;
}

async function list() {
  try {
    const answer = await fetch(`${document.body.dataset.base}recordings/`);
    if (answer.ok) return document.createRange().createContextualFragment(await answer.text());
  } catch {
    // away
  }
  return menu.dataset.notThere;
}

/** Asks first: what went wrong is told here, and not saved as a file or shown in place of the page. */
menu.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-format]");
  if (!link) return;
  event.preventDefault();
  menu.hidePopover();
  const { href } = link;
  try {
    const answer = await fetch(href, { method: "HEAD" });
    if (!answer.ok) return tell(await (await fetch(href)).text());
    const download = document.createElement("a");
    download.href = href;
    download.download = "";
    download.click();
  } catch {
    tell(menu.dataset.notThere);
  }
});

function localise(inside) {
  for (const time of inside.querySelectorAll("time")) time.textContent = moment.format(new Date(time.dateTime));
}

const banner = document.getElementById("recording");
if (banner) localise(banner);

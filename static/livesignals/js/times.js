// Times: the server writes UTC; people read their own clock, UTC, or how long after the previous row.
import { locale, tenths } from "./locale.js";

const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const utcDay = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23", timeZone: "UTC" });

let mode = "local"; // utc, or relative: to the previous row, in the local clock elsewhere

export function setMode(chosen) {
  mode = chosen;
}

export const isRelative = () => mode === "relative";

/** The times of rows and the full ones below *root*; a fragment is done before it is laid out. */
export function localise(root) {
  for (const time of root.querySelectorAll(".row time")) {
    time.firstChild.data = mode === "utc" ? time.dateTime.slice(11, 19) : clock.format(new Date(time.dateTime));
  }
  localiseFull(root);
}

export function localiseFull(root) {
  for (const time of root.querySelectorAll("time[data-full]")) {
    const at = new Date(time.dateTime);
    const fraction = time.dateTime.slice(19, 26);
    time.textContent = mode === "utc" ? `${utcDay.format(at)}${fraction} UTC` : day.format(at) + fraction;
    time.title = time.dateTime;
  }
}

/** How long after the one below it each line began; *lines* are from top to bottom. */
export function relate(lines) {
  let previous = null;
  for (const line of lines.toReversed()) {
    if (!line.matches(".row")) continue;
    const time = line.querySelector("time");
    const words = previous ? difference(time.dateTime, previous.dateTime) : "";
    if (time.firstChild.data !== words) time.firstChild.data = words;
    previous = time;
  }
}

function difference(later, earlier) {
  const us = microseconds(later) - microseconds(earlier);
  const size = Math.abs(us);
  const words = size < 1_000 ? `${size} µs`
    : size < 1e6 ? `${size < 1e4 ? tenths.format(size / 1e3) : Math.round(size / 1e3)} ms`
    : size < 6e7 ? `${tenths.format(size / 1e6)} s`
    : size < 3.6e9 ? `${Math.round(size / 6e7)} min`
    : `${Math.round(size / 3.6e9)} h`;
  return (us < 0 ? "−" : "+") + words;
}

/** Exact: a day of microseconds fits a double many times over. */
function microseconds(stamp) {
  return Date.parse(`${stamp.slice(0, 19)}Z`) * 1e3 + Number(stamp.slice(20, 26));
}

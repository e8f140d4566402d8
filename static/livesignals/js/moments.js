// Moments and lengths of time in words, from µs. People read their own clock.
import { locale } from "./locale.js";

const STALE_MS = 60_000; // by which the newest moment that the page knows may lag behind
const DAY_MS = 86_400_000;
const parts = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat(locale, parts);
const exact = new Intl.DateTimeFormat(locale, { ...parts, fractionalSecondDigits: 3 });
const dated = new Intl.DateTimeFormat(locale, { ...parts, month: "short", day: "numeric" });

/** "14:25:07.412"; short: "14:25:07", or with its day when that is not today. */
export function clockOf(us, { isShort = false } = {}) {
  const date = new Date(us / 1000);
  if (!isShort) return exact.format(date);
  return (date.toDateString() === new Date().toDateString() ? clock : dated).format(date);
}

/** "3 min 12 s". */
export function length(us) {
  const seconds = Math.round(us / 1e6);
  const units = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = Math.max(0, units.findIndex(([, size]) => seconds >= size));
  return units.slice(first, first + 2)
    .map(([unit, size], i) => [Math.floor((i ? seconds % units[first][1] : seconds) / size), unit])
    .filter(([n], i) => n || !i)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(" ");
}

/** The moment that "14:25", "14:25:07.4" or a whole date means: the last such one up to *latest* (µs); null for others. */
export function momentOf(text, latest) {
  const found = /^(\d{1,2}):(\d{2})(?::(\d{2})([.,]\d{1,6})?)?$/.exec(text);
  if (found) {
    const [, hour, minute, second = 0, rest = 0] = found;
    const date = new Date(latest / 1000);
    date.setHours(hour, minute, second, 0);
    if (date.getTime() > latest / 1000 + STALE_MS) date.setTime(date.getTime() - DAY_MS);
    return Math.round((date.getTime() + Number(String(rest).replace(",", ".")) * 1000) * 1000);
  }
  const parsed = /\d{4}-\d/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(parsed) ? null : parsed * 1000;
}

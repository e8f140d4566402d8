// Copying out of the pane: the send as JSON, a filter that finds sends like it, a link to it.
import { say } from "./spoken.js";

const detail = document.getElementById("detail");

const TEXTS = {
  json: () => detail.querySelector("details pre").textContent,
  filter: (button) => button.dataset.text,
  link: () => location.href,
};

detail.addEventListener("click", async ({ target }) => {
  const button = target.closest("button[data-copy]");
  if (!button) return;
  const isDone = await write(TEXTS[button.dataset.copy](button));
  const { copied, failed } = button.parentElement.dataset;
  say(isDone ? `${copied} ${button.textContent}` : failed);
  button.classList.toggle("done", isDone);
  setTimeout(() => button.classList.remove("done"), 1_500);
});

/** Whether *text* is on the clipboard. Browsers have none for pages over plain http, but for localhost. */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return select(text);
  }
}

function select(text) {
  const field = document.createElement("textarea");
  const focused = document.activeElement;
  field.value = text;
  field.className = "spoken";
  detail.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return isDone;
}

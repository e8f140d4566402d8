// Where the focus goes when what lies over the page is closed: to what had it, else to the list.
import { focusList } from "./detail.js";

const openers = new WeakMap();

// Captured at the document: the event does not bubble, and the facets are a popover in narrow windows only.
document.addEventListener("beforetoggle", ({ target: popover, newState }) => {
  const focused = document.activeElement;
  if (newState === "open") {
    openers.set(popover, focused);
  } else if (popover.contains(focused)) {
    // The browser does so itself, but for a page where nothing had the focus: then the next key would go nowhere.
    const opener = openers.get(popover);
    if (opener?.checkVisibility() && opener !== document.body) opener.focus({ preventScroll: true });
    else focusList();
  }
}, { capture: true });

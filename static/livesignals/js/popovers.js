// Where the focus goes when what lies over the page is closed: to what had it, else to the list.
import { focusList } from "./detail.js";

for (const popover of document.querySelectorAll("[popover]")) {
  let opener = null;
  popover.addEventListener("beforetoggle", ({ newState }) => {
    if (newState === "open") {
      opener = document.activeElement;
    } else if (popover.contains(document.activeElement)) {
      // The browser does so itself, but for a page where nothing had the focus: then the next key would go nowhere.
      if (opener?.checkVisibility() && opener !== document.body) opener.focus({ preventScroll: true });
      else focusList();
    }
  });
}

// The theme switch: as the system, light, dark. Runs before the first paint.
const THEMES = ["auto", "light", "dark"];
const KEY = "livesignals.theme";

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is barred: the switch works until the page is left
  }
}

function apply(theme) {
  document.documentElement.dataset.theme = THEMES.includes(theme) ? theme : "auto";
}

apply(stored());

document.addEventListener("click", (event) => {
  if (!event.target.closest("#theme")) return;
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  apply(theme);
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // see stored()
  }
});

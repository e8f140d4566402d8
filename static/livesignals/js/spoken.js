// What is said to those who hear the page, and to nobody's eyes.
const region = document.getElementById("said");

export function say(words) {
  region.textContent = ""; // the same words twice are heard twice
  setTimeout(() => (region.textContent = words));
}

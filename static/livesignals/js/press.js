// What was pressed is what is clicked. Rows that come in while the button is down take the pressed one from under the
// pointer, and the browser then says that the list was clicked, which is nothing.
const MOVES_PX = 4; // of a hand that clicks; one that moves further marks text

const rows = document.getElementById("rows");
let pressed = null; // {target, x, y}

rows.addEventListener("pointerdown", ({ target, clientX: x, clientY: y }) => {
  pressed = { target, x, y };
}, { passive: true });

rows.addEventListener("click", (event) => {
  if (event.target !== rows || !pressed?.target.isConnected) return;
  if (Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > MOVES_PX) return;
  pressed.target.dispatchEvent(new MouseEvent("click", event));
});

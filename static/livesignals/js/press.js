// What was pressed is what is clicked. Rows that come in while the button is down take the pressed one from under the
// pointer, and the browser then says that the list was clicked, which is nothing; or they bring it anew, and then the
// browser says nothing at all.
const MOVES_PX = 4; // of a hand that clicks; one that moves further marks text

const rows = document.getElementById("rows");
let pressed = null; // {target, id, x, y}

rows.addEventListener("pointerdown", ({ target, button, clientX: x, clientY: y }) => {
  pressed = button ? null : { target, id: target.closest(".row")?.dataset.id, x, y };
}, { passive: true });

const isHeld = ({ clientX, clientY }) => pressed && Math.hypot(clientX - pressed.x, clientY - pressed.y) <= MOVES_PX;

rows.addEventListener("pointerup", (event) => {
  if (!isHeld(event) || pressed.target.isConnected) return;
  const row = pressed.id && rows.querySelector(`.row[data-id="${pressed.id}"]`);
  pressed = null;
  row?.dispatchEvent(new MouseEvent("click", event));
});

rows.addEventListener("click", (event) => {
  if (event.target === rows && isHeld(event) && pressed.target.isConnected) {
    pressed.target.dispatchEvent(new MouseEvent("click", event));
  }
});

// The last minute of sends a second, a point each second.
import { on } from "./socket.js";

const POINTS = 60;
const svg = document.getElementById("sparkline");
const line = svg.querySelector("polyline");
const { width, height } = svg.viewBox.baseVal;
const rates = [];
let rate = null;

function draw() {
  const top = Math.max(1, ...rates);
  const step = width / (POINTS - 1);
  const start = POINTS - rates.length;
  line.setAttribute("points", rates.map((value, i) => {
    const y = height - 1 - (value / top) * (height - 2);
    return `${((start + i) * step).toFixed(1)},${y.toFixed(1)}`;
  }).join(" "));
}

on("state", (message) => {
  rate = message.rate;
});

on("close", () => {
  rate = null; // unknown is not drawn on as if it had stayed
});

setInterval(() => {
  if (rate === null) return;
  rates.push(rate);
  if (rates.length > POINTS) rates.shift();
  if (!document.hidden) draw();
}, 1000);

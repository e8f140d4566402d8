// The page's end of the protocol, on top of hx-ws: says hello, acknowledges frames, hands messages on by type.
//
// Other modules take part with on(type, handler) and send(message). Besides the server's types there are
// "open", "close" (with its code) and "heard" (any message at all).

const feed = document.getElementById("feed");
const handlers = new Map();

let connection = null; // hx-ws keeps one for the life of the page, with a socket that it replaces
let greeted = false; // whether the present socket has had its hello
let incoming = null; // the message that is being put in

/** What hello says. The cursor is kept here; filter.js owns filter, pause.js owns paused, recorder.js replay. */
export const standing = { epoch: null, id: null, of: null, filter: "", dropped: null, paused: false, replay: null, buckets: 0 };

export function on(type, handler) {
  if (!handlers.has(type)) handlers.set(type, []);
  handlers.get(type).push(handler);
}

/** Sends now or not at all: what matters beyond a connection is in `standing`, and goes with the next hello. */
export function send(message) {
  if (greeted) transmit(message);
}

/** Ends a socket that went silent; hx-ws opens the next one (servers answer with 1000, so that reconnects too). */
export function drop() {
  connection?.socket?.close();
}

function transmit(message) {
  if (connection?.socket?.readyState === WebSocket.OPEN) connection.socket.send(JSON.stringify(message));
}

/** A handler that fails keeps neither the others from the message nor the server from its acknowledgement. */
function emit(type, message) {
  for (const handler of handlers.get(type) ?? []) {
    try {
      handler(message);
    } catch (error) {
      reportError(error);
    }
  }
}

feed.addEventListener("htmx:ws:after:connection", async ({ detail }) => {
  connection = detail.connection;
  const { socket } = connection;
  // Messages of the socket before may still wait to be swapped in: they move the cursor that hello names.
  await connection.receiving;
  if (connection.socket !== socket) return;
  greeted = true;
  transmit({ type: "hello", ...standing });
  emit("open");
});

feed.addEventListener("htmx:ws:close", ({ detail }) => {
  greeted = false;
  emit("close", detail.code);
});

feed.addEventListener("htmx:ws:before:message:incoming", (event) => {
  const { message } = event.detail;
  try {
    message.parsed = JSON.parse(message.data);
  } catch {
    event.preventDefault(); // htmx would take it for HTML
    return;
  }
  message.json = async () => message.parsed; // parsed once, for htmx too
  incoming = message.parsed;
  emit("heard");
  const { type, epoch, id, reset, of } = incoming;
  if (type === "rows" || type === "scanned") Object.assign(standing, { epoch, id });
  if (type === "rows") standing.dropped = incoming.dropped;
  if (type === "rows" && reset) standing.of = of;
  if (type === "rows") emit("rows:before", incoming);
});

feed.addEventListener("htmx:ws:after:message:incoming", take);

// hx-ws says so in the place of "after" when a message could not be put in, and logs the error.
feed.addEventListener("htmx:ws:error", take);

function take() {
  const message = incoming;
  if (!message) return;
  incoming = null;
  emit(message.type, message);
  if (message.type === "rows" && greeted) acknowledge(message.frame);
}

/** Tells the server that a frame was painted, which is what lets it send another one. */
function acknowledge(frame) {
  const { socket } = connection;
  requestAnimationFrame(() => setTimeout(() => {
    if (connection.socket === socket) send({ type: "ack", frame });
  }));
}

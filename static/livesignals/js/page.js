// The page: its behaviours, one a module. htmx connects the socket once all of them listen.
import "./socket.js";
import "./status.js";
import "./counters.js";
import "./sparkline.js";
import "./searching.js";
import "./rows.js";
import "./pause.js";
import "./filter.js";
import "./completion.js";
import "./facets.js";
import "./detail.js";
import "./values.js";
import "./keyboard.js";

// The page: its behaviours, one a module. htmx connects the socket once all of them listen.
import "./socket.js";
import "./status.js";
import "./counters.js";
import "./sparkline.js";
import "./rows.js";
import "./view.js";
import "./pause.js";
import "./filter.js";
import "./detail.js";
import "./recorder.js";
import "./kept.js";
import "./copy.js";
import "./keyboard.js";
import "./takeaway.js";

// The page of one cause: its moment in the clock of the reader.
import { localiseFull } from "./times.js";

localiseFull(document);

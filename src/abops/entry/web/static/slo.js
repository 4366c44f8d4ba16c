// Objectives change without incidents: fetch the page again twice a minute while it is seen.
import { refresh } from "./js/live.js";

const EVERY_MS = 30_000; // as often as the objectives' rules are evaluated

setInterval(() => {
  if (!document.hidden) refresh();
}, EVERY_MS);

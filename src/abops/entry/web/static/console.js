// Keeps a page current and adds the keyboard. Every page is complete without it.
import { acknowledge, listenForActions, takeBack } from "./js/actions.js";
import { listenForKeys } from "./js/keys.js";
import { keepCurrent } from "./js/live.js";
import { listenForPreferences } from "./js/preferences.js";
import { keepTimes } from "./js/time.js";

listenForPreferences();
listenForActions();
listenForKeys({ acknowledge, takeBack });
keepTimes();
keepCurrent();

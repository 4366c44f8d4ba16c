// j k move, o opens, x ticks, a acknowledges, u takes that back, / searches, n shows what is new, ? helps;
// g and a letter go to a place of the rail. A fold of a page names its own key in data-key.
import { showNew } from "./live.js";
import { openHelp } from "./preferences.js";

const CHORD_MS = 1000;
const PLACES = {
  i: "/incidents", d: "/dashboards", s: "/slo", t: "/traces", l: "/logs", c: "/coverage",
  q: "/silences", o: "/on-call", b: "/backups",
};
let chordAt = -CHORD_MS;

const links = () => [...document.querySelectorAll("[data-rows] a[data-open]")];

function move(step) {
  const all = links();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  all[next].focus({ focusVisible: true });
  all[next].closest("tr").scrollIntoView({ block: "nearest" });
}

function currentNumber() {
  const row = document.activeElement?.closest("tr[data-key]");
  return row?.dataset.key ?? document.querySelector("main form.ack-big")?.dataset.ack;
}

function isTyping(target) {
  return target.matches("input, textarea, select, [contenteditable]");
}

function openFold(key) {
  const fold = document.querySelector(`main details[data-key="${CSS.escape(key)}"]`);
  if (!fold) return false;
  fold.open = true;
  fold.querySelector("textarea, select, input:not([type=hidden])")?.focus();
  fold.scrollIntoView({ block: "nearest" });
  return true;
}

function closeFoldOf(field) {
  const fold = field.closest("details[data-key][open]");
  if (!fold) return;
  fold.open = false;
  fold.querySelector("summary").focus();
}

export function listenForKeys({ acknowledge, takeBack }) {
  const actions = {
    j: () => move(1),
    k: () => move(-1),
    o: () => document.activeElement?.closest("tr[data-key]")?.querySelector("a[data-open]").click(),
    a: () => {
      const number = currentNumber();
      if (number) acknowledge(number);
    },
    x: () => document.activeElement?.closest("tr[data-key]")?.querySelector("input[type=checkbox]")?.click(),
    u: takeBack,
    n: showNew,
    g: () => { chordAt = performance.now(); },
    "/": () => {
      const search = document.getElementById("search");
      search.focus();
      search.select();
    },
    "?": openHelp,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") {
        event.target.blur();
        closeFoldOf(event.target);
      }
      return;
    }
    if (document.querySelector("dialog[open]")) return;
    if (event.key in PLACES && performance.now() - chordAt < CHORD_MS) {
      chordAt = -CHORD_MS;
      document.querySelector(`.places a[href="${PLACES[event.key]}"]`)?.click();
      return;
    }
    if (openFold(event.key)) return event.preventDefault();
    const action = actions[event.key];
    if (!action) return;
    if (event.key !== "o") event.preventDefault();
    action();
  });
}

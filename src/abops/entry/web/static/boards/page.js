// A board's charts: asks for what is open, draws each panel as its answer comes, keeps the last
// picture when Prometheus or the console is silent, and says how old it is.
import { age } from "../js/time.js";
import { onTheme } from "./colors.js";
import { element, moment } from "./dom.js";
import { PanelView } from "./panel.js";
import { ask } from "./stream.js";

const TICK_MS = 1000;
const MARKS_SHOWN = 50;

const root = document.getElementById("board");
const state = document.getElementById("board-state");
const everyS = Number(root.dataset.refresh);
const context = {
  start: Number(root.dataset.start) / 1000,
  end: Number(root.dataset.end) / 1000,
  marks: [],
  zoom,
};
const views = new Map();
let lastGood = 0;       // when the last answer came
let trouble = "";       // why the picture is old
let running;            // the question under way

function zoom(from, to) {
  const address = new URL(location.href);
  address.searchParams.set("from", String(Math.round(from * 1000)));
  address.searchParams.set("to", String(Math.round(to * 1000)));
  address.searchParams.delete("values");
  location.assign(address);
}

for (const article of root.querySelectorAll("article[data-panel]")) {
  const view = new PanelView(article, context);
  views.set(view.settings.id, view);
}

const openPanels = () => [...views.values()].filter((view) => view.article.closest("details.board-row").open);

async function load(panels) {
  if (running && !panels) return; // the last question is not answered yet
  const wanted = panels ?? openPanels();
  const control = new AbortController();
  if (!panels) running = control;
  for (const view of wanted) view.loading();
  moveWindow();
  const marks = [];
  let failed = "";
  try {
    const question = {
      from: root.dataset.from.startsWith("now") ? root.dataset.from : String(root.dataset.start),
      to: root.dataset.to,
      vars: JSON.parse(root.dataset.vars),
      panels: wanted.map((view) => view.settings.id),
      annotations: !panels,
    };
    await ask(root.dataset.uid, question, {
      signal: control.signal,
      onAnswer(answer) {
        if (answer.annotation) return marks.push(...answer.events.map((event) => ({ ...event, color: answer.color })));
        views.get(answer.panel)?.take(answer);
        if (answer.is_silent) failed = answer.error;
      },
    });
    if (!panels && !failed) showMarks(marks);
  } catch (error) {
    failed = error instanceof TypeError ? "The console does not answer" : error.message;
    for (const view of wanted) view.fail(failed);
  } finally {
    if (!panels) running = undefined;
  }
  trouble = failed;
  if (!failed) lastGood = Date.now();
  root.dataset.loaded = String(Number(root.dataset.loaded ?? 0) + 1);
  tell();
}

// What ends now moves on with every question.
function moveWindow() {
  if (root.dataset.to !== "now") return;
  const length = context.end - context.start;
  context.end = Date.now() / 1000;
  context.start = context.end - length;
}

function showMarks(marks) {
  context.marks = marks;
  for (const view of openPanels()) view.redraw();
  const list = document.getElementById("marks");
  list.hidden = !marks.length;
  list.querySelector("summary").textContent = `${marks.length} mark${marks.length === 1 ? "" : "s"} on the charts`;
  const newest = [...marks].sort((a, b) => b.start - a.start).slice(0, MARKS_SHOWN);
  list.querySelector("ul").replaceChildren(...newest.map((mark) => {
    const until = mark.end > mark.start ? ` to ${moment(mark.end)}` : "";
    return element("li", {}, `${moment(mark.start)}${until}: ${mark.text}`);
  }));
}

function tell() {
  const seconds = (Date.now() - lastGood) / 1000;
  const text = state.querySelector(".live-text");
  if (trouble) {
    state.dataset.state = "stale";
    text.textContent = lastGood ? `No answer, picture ${age(seconds)} old` : "No answer";
    state.title = trouble;
  } else if (lastGood) {
    state.dataset.state = everyS ? "live" : "off";
    text.textContent = everyS ? `Live, ${age(seconds)} ago` : `${age(seconds)} ago, refresh off`;
    state.removeAttribute("title");
  }
  for (const view of views.values()) view.tellAge();
}

root.addEventListener("toggle", (event) => {
  if (!event.target.matches?.("details.board-row") || !event.target.open) return;
  const fresh = openPanels().filter((view) => event.target.contains(view.article) && !view.isDrawn);
  if (fresh.length) load(fresh);
}, true);

// One sheet at a time, gone with a click beside it or Escape.
document.addEventListener("click", (event) => closeSheets(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const sheet = document.querySelector("details.about[open], details.other-time[open], details.panel-traces[open]");
  closeSheets(null);
  sheet?.querySelector("summary").focus();
});

function closeSheets(target) {
  for (const sheet of document.querySelectorAll("details.about[open], details.other-time[open], details.panel-traces[open]")) {
    if (!sheet.contains(target)) sheet.open = false;
  }
}

onTheme(() => views.forEach((view) => view.redraw(true)));
setInterval(tell, TICK_MS);
if (everyS) {
  setInterval(() => { if (!document.hidden) load(); }, everyS * 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - lastGood > everyS * 1000) load();
  });
}
load();

// Draws the inbox from /_page whenever /_events tells of a change, and keeps the times fresh.
"use strict";

const NAMES = { slack: "Slack", pagerduty: "PagerDuty", telegram: "Telegram", email: "E-mail" };
const MARKS = { critical: "●", warning: "▲", info: "○", resolved: "✓" };
const SHOWN_ON_PHONE = 5;
const FRESH_MS = 10_000;

let skew = 0; // server's clock minus this one, in ms
let lastPage = null;
const unfolded = new Set(); // channels whose older messages are shown on a phone

function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("data-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() + skew - Date.parse(at)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${String(seconds % 60).padStart(2, "0")} s ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} m ago`;
  return `${Math.floor(hours / 24)} d ago`;
}

function moment(at) {
  const absolute = new Date(at).toLocaleString(undefined, {
    dateStyle: "medium", timeStyle: "long",
  });
  return element("time", { dateTime: at, title: absolute, tabIndex: 0 }, ago(at));
}

function severity(name) {
  const known = name in MARKS ? name : "none";
  const text = known === "none" ? "· message" : `${MARKS[name]} ${name}`;
  return element("span", { className: "severity", "data-severity": known }, text);
}

// The severity stands in its own row already, so the summary need not begin with it again.
function withoutSeverity(summary) {
  const rest = summary.replace(/^[●▲○✓]\s*(critical|warning|info|resolved)?[\s:·-]*/i, "");
  return rest || summary;
}

function message(record) {
  const item = element("li", { className: "message", "data-number": record.number });
  if (Date.now() + skew - Date.parse(record.received_at) < FRESH_MS) item.dataset.new = "";
  item.append(
    element("div", { className: "row" }, severity(record.severity), moment(record.received_at)),
    element("p", { className: "summary" }, withoutSeverity(record.summary)),
    element("p", { className: "where", title: record.destination },
      `${record.action} → ${record.destination}`),
  );
  if (record.text.trim() !== record.summary.trim()) {
    item.append(element("details", {},
      element("summary", {}, "Full text"), element("pre", { tabIndex: 0 }, record.text)));
  }
  item.append(element("div", { className: "buttons" }));
  return item;
}

// What the person could press in the real channel; an edit of the message replaces the buttons.
function drawButtons(item, record) {
  const box = item.querySelector(".buttons");
  const names = record.buttons.map((button) => button.action).join();
  if (box.dataset.names === names) return;
  box.dataset.names = names;
  box.replaceChildren(...record.buttons.map(({ label, action }) => {
    const button = element("button", { type: "button" }, label);
    button.addEventListener("click", () => press(box, button, record.number, action));
    return button;
  }));
}

async function press(box, button, number, action) {
  button.disabled = true;
  let said = "";
  try {
    const response = await fetch("/_press", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ number, action }),
    });
    const answer = await response.json();
    if (!response.ok) said = answer.error;
    else if (answer.status && answer.status !== 200) said = `refused: ${answer.status} ${answer.answer}`;
  } catch {
    said = "no answer";
  }
  button.disabled = false;
  box.querySelector("[role=status]")?.remove();
  if (said) box.append(element("span", { role: "status" }, said));
}

function section(name) {
  const label = NAMES[name] ?? name;
  const node = element("section", { className: "channel", "data-channel": name },
    element("header", {},
      element("h2", {}, label),
      element("span", { className: "mode" }),
      element("span", { className: "count" })),
    element("p", { className: "quiet" },
      "Nothing yet. A page shows here as soon as it is accepted; make demo causes one."),
    element("ol", {}),
    element("button", { type: "button", className: "more" }));
  node.setAttribute("aria-label", label);
  node.querySelector(".more").addEventListener("click", () => {
    unfolded.add(name);
    draw(lastPage);
  });
  document.getElementById("channels").append(node);
  return node;
}

// Only what changed is touched: an unfolded text stays unfolded, the focus and the scroll stay put.
function drawChannel(data) {
  const node = document.querySelector(`[data-channel="${data.name}"]`) ?? section(data.name);
  node.querySelector(".mode").textContent =
    data.mode === "ok" ? "" : `▲ failing on purpose: ${data.mode}`;
  node.querySelector(".count").textContent = `${data.total} received`;
  node.querySelector(".quiet").hidden = data.received.length > 0;
  const folded = matchMedia("(max-width: 640px)").matches && !unfolded.has(data.name);
  const shown = folded ? data.received.slice(0, SHOWN_ON_PHONE) : data.received;
  const more = node.querySelector(".more");
  more.hidden = shown.length === data.received.length;
  more.textContent = `Show ${data.received.length - shown.length} older`;

  const list = node.querySelector("ol");
  const known = new Map([...list.children].map((item) => [item.dataset.number, item]));
  shown.forEach((record, position) => {
    const item = known.get(String(record.number)) ?? message(record);
    drawButtons(item, record);
    const there = list.children[position];
    if (there !== item) list.insertBefore(item, there ?? null);
  });
  while (list.children.length > shown.length) list.lastElementChild.remove();
}

function drawViolations(page) {
  const box = document.getElementById("violations");
  const wasOpen = box.querySelector("details")?.open ?? false;
  const last = page.violations[0]?.number ?? 0;
  if (box.dataset.last === String(last)) return;
  box.dataset.last = String(last);
  if (page.violations_total === 0) {
    delete box.dataset.some;
    box.replaceChildren(element("p", { className: "quiet" },
      "✓ No request was refused: every limit and format was kept."));
    return;
  }
  box.dataset.some = "";
  const noun = page.violations_total === 1 ? "request was" : "requests were";
  const items = page.violations.map((violation) => element("li", {},
    moment(violation.received_at),
    element("span", {}, NAMES[violation.channel] ?? violation.channel),
    element("span", {}, [
      violation.kind === "limit" ? `over the limit: ${violation.rule}` : violation.rule,
      violation.destination && `→ ${violation.destination}`,
      violation.detail,
    ].filter(Boolean).join("  "))));
  box.replaceChildren(element("details", { open: wasOpen },
    element("summary", {}, `▲ ${page.violations_total} ${noun} refused`),
    element("ol", {}, ...items)));
}

function draw(page) {
  lastPage = page;
  skew = Date.parse(page.now) - Date.now();
  page.channels.forEach(drawChannel);
  drawViolations(page);
}

let pending = false;
let again = false;
async function refresh() {
  if (pending) {
    again = true;
    return;
  }
  pending = true;
  try {
    const response = await fetch("/_page");
    draw(await response.json());
  } catch {
    state("stale", "no answer; the last picture stays");
  } finally {
    pending = false;
  }
  if (again) {
    again = false;
    refresh();
  }
}

function state(name, text) {
  const live = document.getElementById("live");
  live.dataset.state = name;
  live.textContent = text;
}

function listen() {
  const events = new EventSource("/_events");
  events.addEventListener("open", () => state("live", "live"));
  events.addEventListener("message", refresh);
  events.addEventListener("error", () => state("stale", "connection lost, trying again"));
}

function theme() {
  const root = document.documentElement;
  const saved = localStorage.getItem("theme");
  if (saved) root.dataset.theme = saved;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
}

setInterval(() => {
  for (const time of document.querySelectorAll("time")) time.textContent = ago(time.dateTime);
  for (const item of document.querySelectorAll(".message[data-new]")) {
    const at = item.querySelector("time").dateTime;
    if (Date.now() + skew - Date.parse(at) >= FRESH_MS) delete item.dataset.new;
  }
}, 1000);
theme();
refresh();
listen();

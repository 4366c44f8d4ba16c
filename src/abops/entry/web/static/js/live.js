// Hears that something changed, fetches this page again and patches what differs.
//
// Parts marked data-live are replaced; the list is patched row by row, and its order changes
// only when nobody is on it: nothing may jump away under a pointer or a finger.
import { listen } from "./stream.js";
import { age, noteServerTime, refreshTimes, secondsSince } from "./time.js";

const GATHER_MS = 200;     // a burst of events costs one fetch
const PAUSE_MS = 1000;     // at most one fetch a second
const HIDDEN_MS = 10000;   // a tab that nobody sees only keeps its title
const STALE_TICK_MS = 1000;

let waiting;               // the page fetched last, when its list could not be shown
let expected = "";         // the order that the reader's own action leads to
let timer;
let lastFetch = 0;
let lastGood;              // server time of what is on the screen
let staleTimer;

export async function refresh({ own = false } = {}) {
  clearTimeout(timer);
  timer = undefined;
  lastFetch = performance.now();
  let page;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (new URL(answer.url).pathname === "/login") return location.reload(); // the session is over
    if (!answer.ok) return;
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return; // the last good picture stays; the stream's state says how old it is
  }
  if (isNewer(page)) return location.reload();
  lastGood = page.getElementById("live")?.dataset.at ?? lastGood;
  noteServerTime(lastGood);
  patch(page, own);
  refreshTimes();
}

// The server was renewed: its pages come with other styles and scripts than ours.
function isNewer(page) {
  const version = (root) => root.querySelector("link[rel=stylesheet]")?.getAttribute("href");
  return version(page) !== version(document) && !document.activeElement?.matches("input");
}

function refreshSoon() {
  if (timer) return;
  const least = document.hidden ? HIDDEN_MS : PAUSE_MS;
  const pause = Math.max(GATHER_MS, least - (performance.now() - lastFetch));
  timer = setTimeout(() => refresh(), pause);
}

function patch(page, own) {
  document.title = page.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!fresh) continue;
    if (part.hasAttribute("data-list")) patchList(part, fresh, page, own);
    else replacePart(part, fresh);
  }
}

function replacePart(part, fresh) {
  if (part.innerHTML === fresh.innerHTML && part.className === fresh.className) return;
  if (part.contains(document.activeElement) && document.activeElement.matches("input")) return;
  if (part.hasAttribute("data-keep") && isWorkedOn(part)) return;
  const focus = part.contains(document.activeElement) ? document.activeElement.tagName : null;
  part.className = fresh.className;
  const folds = [...part.querySelectorAll("details")].map((fold) => fold.open);
  part.replaceChildren(...fresh.cloneNode(true).childNodes);
  part.querySelectorAll("details").forEach((fold, index) => { fold.open = folds[index] ?? fold.open; });
  if (focus) part.querySelector(focus)?.focus();
}

// Somebody fills in a form of it: what was opened, ticked or typed stays until it is sent.
function isWorkedOn(part) {
  return part.querySelector("details[open], input[type=checkbox]:checked") !== null;
}

// What somebody ticked stays ticked in whatever comes instead.
function keepTicks(part, fresh) {
  const ticked = [...part.querySelectorAll("input:checked")].map((box) => box.value);
  for (const box of fresh.querySelectorAll("input[type=checkbox]")) {
    box.toggleAttribute("checked", ticked.includes(box.value));
  }
}

function patchList(part, fresh, page, own) {
  keepTicks(part, fresh);
  const here = rowsOf(part), there = rowsOf(fresh);
  for (const [key, row] of there) {
    const old = here.get(key);
    if (old && old.dataset.rev !== row.dataset.rev) patchRow(old, row);
  }
  const before = [...here.keys()], after = [...there.keys()];
  if (before.join() === after.join()) return settle();
  if (!here.size || mayMove(part)) return showList(part, fresh);
  for (const [key, row] of here) row.classList.toggle("is-gone", !there.has(key));
  const count = after.filter((key) => !here.has(key)).length;
  if (own && !count) expected = after.join(); // who acted knows why the order changes
  if (after.join() === expected) settle(); // also what another refresh offered meanwhile
  else offer(page, count);
}

function rowsOf(part) {
  return new Map([...part.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
}

function patchRow(old, row) {
  const focused = old.contains(document.activeElement);
  old.className = row.className;
  old.dataset.rev = row.dataset.rev;
  const copy = row.cloneNode(true);
  [...old.cells].forEach((cell, index) => {
    // The link keeps its identity, so that focus and a click under way survive.
    if (cell.classList.contains("c-title")) {
      const link = cell.querySelector("a"), fresh = copy.cells[index].querySelector("a");
      if (link.innerHTML !== fresh.innerHTML) link.innerHTML = fresh.innerHTML; // escaped by the server's template
      while (link.nextSibling) link.nextSibling.remove();
      while (fresh.nextSibling) cell.append(fresh.nextSibling);
    } else {
      cell.replaceWith(copy.cells[index].cloneNode(true));
    }
  });
  if (focused && !old.contains(document.activeElement)) old.querySelector("a[data-open]").focus();
}

// Nobody is on the list: no pointer over it, no row chosen, at its top. A finger shows no
// hover, so with touch the list never moves by itself.
function mayMove(part) {
  return matchMedia("(hover: hover)").matches && !part.matches(":hover")
    && !part.contains(document.activeElement) && scrollY < 40;
}

function showList(part, fresh) {
  const known = new Set(rowsOf(part).keys());
  const chosen = document.activeElement?.closest("tr[data-key]")?.dataset.key;
  part.replaceChildren(...fresh.cloneNode(true).childNodes);
  for (const [key, row] of rowsOf(part)) if (known.size && !known.has(key)) row.classList.add("is-fresh");
  if (chosen) part.querySelector(`tr[data-key="${chosen}"] a[data-open]`)?.focus();
  settle();
}

function offer(page, count) {
  waiting = page;
  const bar = document.getElementById("newbar");
  bar.textContent = count ? `${count} new: show` : "The order changed: show";
  bar.hidden = false;
}

function settle() {
  waiting = undefined;
  const bar = document.getElementById("newbar");
  if (bar) bar.hidden = true;
}

export function showNew() {
  const part = document.querySelector("[data-list]");
  if (!waiting || !part) return;
  keepTicks(part, waiting.querySelector("[data-list]"));
  showList(part, waiting.querySelector("[data-list]"));
  refreshTimes();
  scrollTo(0, 0);
}

function say(state, text) {
  const live = document.getElementById("live");
  live.dataset.state = state;
  live.querySelector(".live-text").textContent = text;
}

function isLive() {
  clearInterval(staleTimer);
  staleTimer = undefined;
  say("live", "Live");
}

function isStale() {
  const tell = () => say("stale", `Reconnecting, data ${age(secondsSince(lastGood))} old`);
  tell();
  staleTimer ??= setInterval(tell, STALE_TICK_MS);
}

export function keepCurrent() {
  lastGood = document.getElementById("live")?.dataset.at;
  document.getElementById("newbar")?.addEventListener("click", showNew);
  if (!document.getElementById("live")) return; // nothing on this page changes
  listen({ onEvent: refreshSoon, onState: (state) => (state === "live" ? isLive() : isStale()) });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && timer) refresh();
  });
}

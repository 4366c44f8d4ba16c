// One line of feedback, read out by screen readers and gone after a while.
const STAYS_MS = 6000;
let timer;

export function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => { place.textContent = ""; }, STAYS_MS);
}

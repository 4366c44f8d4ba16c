// One line of feedback, read out by screen readers and gone after a while; what can be undone
// stays longer, and does not go while somebody is about to press Undo.
const STAYS_MS = 6000;
const UNDO_STAYS_MS = 12000;
let timer;

function clearLater(place, ms) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (place.matches(":hover, :focus-within")) clearLater(place, ms);
    else place.replaceChildren();
  }, ms);
}

export function toast(text, undo) {
  const place = document.getElementById("toast");
  place.replaceChildren(text);
  if (undo) {
    const button = document.createElement("button");
    button.textContent = "Undo";
    button.addEventListener("click", undo, { once: true });
    place.append(button);
  }
  clearLater(place, undo ? UNDO_STAYS_MS : STAYS_MS);
}

export function undoByKey() {
  const button = document.querySelector("#toast button");
  button?.click();
  return Boolean(button);
}

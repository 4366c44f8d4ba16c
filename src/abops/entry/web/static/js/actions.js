// Acknowledging, and taking it back, without leaving the page. The forms work without this.
import { csrfHeader } from "./csrf.js";
import { refresh } from "./live.js";
import { toast, undoByKey } from "./toast.js";

async function send(action, fields, button, told) {
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(action, {
      method: "POST",
      headers: { Accept: "application/json", ...csrfHeader() },
      body: new URLSearchParams(fields),
    });
    const result = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(result.error ?? `answer ${answer.status}`);
    told(result);
    await refresh({ own: true });
  } catch (error) {
    const command = action.endsWith("/unack") ? "unack" : "ack";
    toast(`Not done: ${error.message}. Try again, or use abops alerts ${command}.`);
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

function sendAck(form) {
  return send(form.action, new FormData(form), form.querySelector("button"), (result) => {
    if (result.state !== "acked") return toast(`INC-${result.number} is ${result.state}`);
    const undo = () => sendUnack(`/incidents/${result.number}/unack`);
    toast(`INC-${result.number} is acked by ${result.acked_by}`, result.undo && undo);
  });
}

function sendUnack(action, button) {
  return send(action, {}, button, (result) =>
    toast(`INC-${result.number} is ${result.state}${result.state === "open" ? " again: nobody takes care of it" : ""}`));
}

export function acknowledge(number) {
  const form = document.querySelector(`form[data-ack="${number}"]`);
  if (form) sendAck(form);
  else toast(`INC-${number} is not open`);
}

export function takeBack() {
  if (undoByKey()) return;
  document.querySelector("main form[data-unack]")?.requestSubmit();
}

export function listenForActions() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("form[data-ack]")) {
      event.preventDefault();
      sendAck(form);
    } else if (form.matches("form[data-unack]")) {
      event.preventDefault();
      sendUnack(form.action, form.querySelector("button"));
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("select")) event.target.closest("form[data-auto]")?.requestSubmit();
  });
}

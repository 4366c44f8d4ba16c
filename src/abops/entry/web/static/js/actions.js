// Acknowledging without leaving the page. The forms work without this.
import { refresh } from "./live.js";
import { toast } from "./toast.js";

async function send(form, said) {
  const button = form.querySelector("button");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    });
    const result = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(result.error ?? `answer ${answer.status}`);
    toast(said(result));
    await refresh({ own: true });
  } catch (error) {
    toast(`Not done: ${error.message}. Try again, or use abops alerts ack.`);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function sendAck(form) {
  return send(form, (result) =>
    result.state === "acked"
      ? `INC-${result.number} is acked by ${result.acked_by}`
      : `INC-${result.number} is ${result.state}`);
}

export function acknowledge(number) {
  const form = document.querySelector(`form[data-ack="${number}"]`);
  if (form) sendAck(form);
  else toast(`INC-${number} is not open`);
}

export function listenForActions() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("form[data-ack]")) {
      event.preventDefault();
      sendAck(form);
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("select")) event.target.closest("form[data-auto]")?.requestSubmit();
  });
}

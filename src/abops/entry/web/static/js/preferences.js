// Theme at once, remembered by the server's cookie; help as an overlay.
import { csrfHeader } from "./csrf.js";

export function openHelp() {
  const help = document.getElementById("help");
  if (!help.open) help.showModal();
}

export function listenForPreferences() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-help]");
    if (link) {
      event.preventDefault();
      openHelp();
    }
    const sheet = document.querySelector(".more details[open]");
    if (sheet && !sheet.contains(event.target)) sheet.removeAttribute("open");
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-themes]")) return;
    event.preventDefault();
    const theme = event.submitter.value;
    document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("form[data-themes] button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
    fetch(form.action, {
      method: "POST",
      headers: csrfHeader(),
      body: new URLSearchParams({ theme, back: "/help" }),
      redirect: "manual",
    });
  });
}

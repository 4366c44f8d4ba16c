// Ages grow while a page is open; moments are told in the reader's own zone as well.
const EVERY_MS = 5000;

export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 86400)}d ${two(Math.floor(whole / 3600) % 24)}h`;
}

// The server's clock counts: a laptop that is a minute off must not show an age of minus one.
let skewMs = 0;

export function noteServerTime(iso) {
  if (iso) skewMs = Date.parse(iso) - Date.now();
}

export function secondsSince(iso) {
  return (Date.now() + skewMs - Date.parse(iso)) / 1000;
}

const local = new Intl.DateTimeFormat(undefined, {
  weekday: "short", year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});
const isUtc = new Date().getTimezoneOffset() === 0;

export function refreshTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const iso = time.getAttribute("datetime");
    if (time.hasAttribute("data-age")) {
      const text = age(secondsSince(iso)) + (time.dataset.suffix ?? "");
      if (time.textContent !== text) time.textContent = text;
    }
    if (time.hasAttribute("data-until")) {
      const left = -secondsSince(iso), text = left > 0 ? `in ${age(left)}` : "now";
      if (time.textContent !== text) time.textContent = text;
    }
    if (!isUtc && !time.dataset.zoned) {
      time.dataset.zoned = "1";
      time.title = `${local.format(new Date(iso))} (${time.title})`;
    }
  }
}

export function keepTimes() {
  noteServerTime(document.getElementById("live")?.dataset.at);
  refreshTimes();
  setInterval(refreshTimes, EVERY_MS);
}

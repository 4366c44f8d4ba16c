// Elements without markup in strings: what a server sent is text and stays text.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function drawing(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function note(text, kind = "") {
  return element("p", { class: `panel-note ${kind}` }, text);
}

const two = (number) => String(number).padStart(2, "0");

// Moments are told in UTC, as on every page of the console.
export function clock(seconds, withSeconds = false) {
  const at = new Date(seconds * 1000);
  const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  return withSeconds ? `${time}:${two(at.getUTCSeconds())}` : time;
}

export function day(seconds) {
  const at = new Date(seconds * 1000);
  return `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
}

export const moment = (seconds) => `${day(seconds)} ${clock(seconds)}`;

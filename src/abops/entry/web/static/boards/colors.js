// Colours come from tokens.css. Canvas wants them as they are now, so they are read again when
// the theme changes.
export const PALETTE = 8;
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const NAMES = { green: "good", yellow: "warn", orange: "warn", red: "act", blue: "accent" };

let known = new Map();
const probe = document.createElement("span");
probe.hidden = true;

export function color(token) {
  if (!known.has(token)) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(--${token})`;
    known.set(token, getComputedStyle(probe).color);
  }
  return known.get(token);
}

export const token = (name) => NAMES[String(name).replace(/^(dark|light|semi-dark|super-light)-/, "")] ?? "muted";
export const named = (name) => color(token(name));
export const seriesToken = (index) => `series-${(index % PALETTE) + 1}`;
export const seriesColor = (index) => color(seriesToken(index));
export const dash = (index) => DASHES[Math.floor(index / PALETTE) % DASHES.length];

export function faded(rgb, share) {
  return `color-mix(in srgb, ${rgb} ${Math.round(share * 100)}%, transparent)`;
}

export function onTheme(redraw) {
  const again = () => {
    known = new Map();
    redraw();
  };
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

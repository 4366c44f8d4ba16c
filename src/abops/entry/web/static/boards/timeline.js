// States over time: equal neighbours are one stretch; where nothing was measured nothing is drawn.
import { token } from "./colors.js";
import { clock, element, moment } from "./dom.js";
import { shown, thresholdOf } from "./units.js";

const NAMED_FROM = 0.08; // share of the width from which a stretch carries its word

export class Timeline {
  constructor(body, settings, context) {
    this.settings = settings;
    this.context = context;
    this.place = body.appendChild(element("div", { class: "timelines" }));
  }

  draw(answer) {
    const { start, end } = this.context;
    const share = (at) => Math.min(1, Math.max(0, (at - start) / (end - start)));
    const rows = answer.series.map((line) => {
      const stretches = stretchesOf(line.values, answer.start, answer.step);
      const track = element("div", { class: "track" }, ...stretches.map((stretch) => this.stretch(stretch, share)));
      return element("li", {}, element("span", { class: "track-name", title: line.name }, line.name), track,
        element("span", { class: "visually-hidden" }, this.words(stretches)));
    });
    const times = [0, 0.5, 1].map((part) => element("span", {}, clock(start + (end - start) * part)));
    this.place.replaceChildren(element("ul", {}, ...rows), element("div", { class: "times", "aria-hidden": "true" }, ...times));
  }

  stretch({ value, from, to }, share) {
    const [left, right] = [share(from), share(to)];
    const word = shown(this.settings, value);
    const made = element("span", {
      class: `stretch tone-${this.tone(value)}`, "aria-hidden": "true",
      title: `${word}: ${moment(from)} to ${moment(to)}`,
    }, right - left >= NAMED_FROM ? word : "");
    made.style.left = `${left * 100}%`;
    made.style.width = `max(2px, ${(right - left) * 100}%)`;
    return made;
  }

  // Without limits of its own a board means: one is well, nought is not.
  tone(value) {
    if (this.settings.thresholds.length > 1) return token(thresholdOf(this.settings, value)?.color);
    return value > 0 ? "good" : "act";
  }

  words(stretches) {
    const told = stretches.slice(-4).map((s) => `${shown(this.settings, s.value)} from ${moment(s.from)} to ${moment(s.to)}`);
    return told.join("; ") || "nothing measured";
  }
}

function stretchesOf(values, start, step) {
  const found = [];
  let open;
  values.forEach((value, index) => {
    const at = start + index * step;
    if (open && value === open.value) {
      open.to = at + step;
    } else {
      open = value === null ? undefined : { value, from: at, to: at + step };
      if (open) found.push(open);
    }
  });
  return found;
}

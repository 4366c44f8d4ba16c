// Figures: one number, a dial, bars. Beyond a limit a mark stands beside the colour.
import { token } from "./colors.js";
import { drawing, element } from "./dom.js";
import { shown, thresholdOf } from "./units.js";

const newest = (values) => values.findLast((value) => value !== null) ?? null;
const SHAPES = {
  act: ["M8 1.5a6.5 6.5 0 1 0 .01 0z", "act now"],
  warn: ["M8 1.5 15.2 14.2H.8z", "watch"],
};

function markOf(tone) {
  if (!(tone in SHAPES)) return [];
  const [shape, words] = SHAPES[tone];
  return [
    drawing("svg", { class: `mark mark-${tone}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, drawing("path", { d: shape })),
    element("span", { class: "visually-hidden" }, `${words}: `),
  ];
}

// Colour says something only where the board has limits.
function toneOf(settings, value) {
  if (settings.thresholds.length < 2) return "text";
  const step = thresholdOf(settings, value);
  return step ? token(step.color) : "text";
}

export class Stat {
  constructor(body, settings) {
    this.settings = settings;
    this.place = body.appendChild(element("div", { class: "stat" }));
  }

  draw(answer) {
    const [first] = answer.series;
    const many = answer.series.length > 1;
    this.place.classList.toggle("is-many", many);
    this.place.replaceChildren(...answer.series.slice(0, 8).map((line) => this.value(line, many)));
    if (!many && first.values.length > 1) this.place.append(spark(first.values, toneOf(this.settings, newest(first.values))));
  }

  value(line, isNamed) {
    const value = newest(line.values);
    const tone = toneOf(this.settings, value);
    const text = element("p", { class: `stat-value tone-${tone}` }, ...markOf(tone), shown(this.settings, value));
    if (isNamed) text.prepend(element("span", { class: "stat-name" }, line.name));
    return text;
  }
}

function spark(values, tone) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known, 0), high = Math.max(...known, low + 1e-12);
  const x = (at) => (at / Math.max(1, values.length - 1)) * 100;
  const y = (value) => 29 - ((value - low) / (high - low)) * 27;
  let path = "", area = "", begun = null;
  values.forEach((value, at) => {
    if (value === null) {
      if (begun !== null) area += `L${x(at - 1)} 30L${x(begun)} 30z`;
      begun = null;
      return;
    }
    const word = begun === null ? "M" : "L";
    path += `${word}${x(at).toFixed(2)} ${y(value).toFixed(2)}`;
    area += begun === null ? `M${x(at).toFixed(2)} 30L${x(at).toFixed(2)} ${y(value).toFixed(2)}` : `L${x(at).toFixed(2)} ${y(value).toFixed(2)}`;
    begun ??= at;
  });
  if (begun !== null) area += `L${x(values.length - 1)} 30z`;
  return drawing("svg", { class: `spark tone-${tone}`, viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("path", { class: "area", d: area }), drawing("path", { class: "edge", d: path, "vector-effect": "non-scaling-stroke" }));
}

const ARC_R = 40;
const point = (share) => {
  const angle = Math.PI * (1 - share);
  return `${(50 + ARC_R * Math.cos(angle)).toFixed(2)} ${(48 - ARC_R * Math.sin(angle)).toFixed(2)}`;
};
const arc = (from, to) => `M${point(from)}A${ARC_R} ${ARC_R} 0 0 1 ${point(to)}`;

export class Gauge {
  constructor(body, settings) {
    this.settings = settings;
    this.place = body.appendChild(element("div", { class: "gauges" }));
  }

  draw(answer) {
    const { settings } = this;
    const low = settings.minimum ?? 0;
    const high = settings.maximum ?? (settings.unit === "percentunit" ? 1 : 100);
    const share = (value) => Math.min(1, Math.max(0, (value - low) / (high - low)));
    this.place.replaceChildren(...answer.series.slice(0, 8).map((line) => {
      const value = newest(line.values);
      const tone = toneOf(settings, value);
      const limits = settings.thresholds.filter((step) => step.value > low && step.value < high);
      const dial = drawing("svg", { class: "dial", viewBox: "0 0 100 54", "aria-hidden": "true" },
        drawing("path", { class: "track", d: arc(0, 1) }),
        ...(share(value) > 0 ? [drawing("path", { class: `filled tone-${tone}`, d: arc(0, share(value)) })] : []),
        ...limits.map((step) => drawing("path", { class: `limit tone-${token(step.color)}`, d: tick(share(step.value)) })));
      const text = element("p", { class: `stat-value tone-${tone}` }, ...markOf(tone), shown(settings, value));
      const name = line.name === settings.title ? undefined : element("p", { class: "stat-name" }, line.name);
      return element("div", { class: "gauge" }, dial, text, name);
    }));
  }
}

function tick(share) {
  const angle = Math.PI * (1 - share);
  const at = (r) => `${(50 + r * Math.cos(angle)).toFixed(2)} ${(48 - r * Math.sin(angle)).toFixed(2)}`;
  return `M${at(34)}L${at(47)}`;
}

export class BarGauge {
  constructor(body, settings) {
    this.settings = settings;
    this.place = body.appendChild(element("ul", { class: "bars", tabindex: "0" }));
  }

  draw(answer) {
    const { settings } = this;
    const values = answer.series.map((line) => newest(line.values));
    const most = settings.maximum ?? (settings.unit === "percentunit" ? Math.max(1, ...values) : Math.max(...values, 1e-12));
    const low = settings.minimum ?? 0;
    this.place.replaceChildren(...answer.series.map((line, index) => {
      const tone = toneOf(settings, values[index]);
      const bar = element("span", { class: `bar tone-${tone}`, "aria-hidden": "true" });
      bar.style.width = `${Math.min(100, Math.max(0, ((values[index] - low) / (most - low)) * 100))}%`;
      return element("li", {},
        element("span", { class: "bar-name" }, line.name),
        element("span", { class: "bar-track", "aria-hidden": "true" }, bar),
        element("span", { class: `bar-value tone-${tone}` }, ...markOf(tone), shown(settings, values[index])));
    }));
  }
}

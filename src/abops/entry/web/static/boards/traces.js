// Events with a trace: marks on a chart, and the same as a list below it for keyboard and reader.
import { clock, element } from "./dom.js";
import { figure } from "./units.js";

const address = (dot) => `/traces/${dot.trace}`;

const words = (dot, unit) => [`${figure(dot.value, unit)}, ${clock(dot.at, true)}`, dot.text].filter(Boolean).join(" ");

// Marks are links for the pointer; the list has the same links for everybody.
export function mark(layer, dots, unit, x, y) {
  layer.replaceChildren(...dots.flatMap((dot) => {
    const left = x(dot.at), top = y(dot.value);
    if (!Number.isFinite(left) || !Number.isFinite(top)) return [];
    const link = element("a", { class: "dot", href: address(dot), tabindex: "-1", title: `Trace: ${words(dot, unit)}` });
    link.style.left = `${left}px`;
    link.style.top = `${top}px`;
    return [link];
  }));
}

export class TraceList {
  constructor(settings) {
    this.unit = settings.unit;
    this.summary = element("summary");
    this.list = element("ol", { class: "sheet", "aria-label": `Traces of ${settings.title}` });
    this.place = element("details", { class: "panel-traces" }, this.summary, this.list);
  }

  // A list that somebody reads stays as it is until they close it.
  show(dots) {
    if (this.place.open) return;
    this.summary.textContent = `${dots.length} trace${dots.length === 1 ? "" : "s"}`;
    const slowest = [...dots].sort((a, b) => b.value - a.value);
    this.list.replaceChildren(...slowest.map((dot) => element("li", {},
      element("a", { href: address(dot) }, `${figure(dot.value, this.unit)}, ${clock(dot.at, true)}`), ` ${dot.text ?? ""}`)));
  }
}

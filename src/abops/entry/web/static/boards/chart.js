// Values over time. All charts of a page have the same time axis and share one cursor.
import uPlot from "../vendor/uplot/uplot.js";
import { color, dash, named, seriesColor, seriesToken } from "./colors.js";
import { clock, day, element, moment } from "./dom.js";
import { mark } from "./traces.js";
import { figure, shown } from "./units.js";

const SYNC = "board";
const FONT = '11px system-ui, sans-serif';
const LIMIT_IS_NEAR = 2;      // a limit up to twice the largest value is on the chart
const HEADROOM = 1.1;
const SMALLEST_DRAG_PX = 8;
const DAY_S = 86400;
const BYTES = Array.from({ length: 50 }, (_, power) => 2 ** power);
const NAMES_READ = 6;

export class Chart {
  constructor(body, settings, context) {
    this.settings = settings;
    this.context = context;
    this.hidden = new Set();
    this.plot = undefined;
    this.place = element("div", {
      class: "plot", tabindex: "0", role: "img", "aria-label": settings.title,
      "aria-describedby": `title-${settings.id}`,
    });
    this.dots = element("div", { class: "dots", "aria-hidden": "true" });
    this.field = element("div", { class: "field" }, this.place, this.dots);
    this.legend = element("ul", { class: "legend" });
    this.told = element("p", { class: "visually-hidden", role: "status" });
    body.append(this.field, this.legend, this.told);
    this.place.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(this.place);
  }

  draw(answer) {
    const names = answer.series.map((line) => line.name).join("\n");
    this.times = Float64Array.from({ length: answer.count ?? 0 }, (_, i) => (answer.start ?? 0) + i * answer.step);
    this.series = answer.series;
    this.events = answer.dots ?? [];
    const data = [this.times, ...this.lines()];
    if (this.plot && names === this.names) this.plot.setData(data);
    else this.make(data);
    if (names !== this.names) this.makeLegend();
    this.names = names;
    this.tell();
    this.describe();
  }

  // Stacked lines are drawn as the sum of themselves and those below.
  lines() {
    const values = this.series.map((line) => line.values);
    if (!this.settings.stacked) return values;
    const below = new Array(this.times.length).fill(0);
    return values.map((own, index) => own.map((value, at) => {
      if (value === null) return null;
      if (!this.hidden.has(this.series[index].name)) below[at] += value;
      return below[at];
    }));
  }

  make(data) {
    this.plot?.destroy();
    const { width, height } = this.size();
    this.plot = new uPlot({
      width, height,
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      padding: [10, 8, 0, 0],
      scales: {
        x: { time: true, range: () => [this.context.start, this.context.end] },
        y: { range: (_, low, high) => this.heights(low, high) },
      },
      cursor: {
        y: false,
        points: { size: 6 },
        drag: { x: true, y: false, setScale: false },
        sync: { key: SYNC, scales: ["x", null], filters: { pub: (type) => type.startsWith("mousemove") || type === "mouseleave" } },
      },
      axes: [this.timeAxis(), this.valueAxis()],
      series: [{}, ...this.series.map((line, index) => this.line(line, index))],
      bands: this.settings.stacked ? this.series.slice(1).map((_, i) => ({ series: [i + 2, i + 1] })) : [],
      hooks: {
        drawAxes: [(plot) => this.drawMarks(plot)],
        draw: [(plot) => this.drawLimits(plot), (plot) => this.drawDots(plot)],
        setCursor: [() => this.tell()],
        setSelect: [(plot) => this.selected(plot)],
      },
    }, data, this.place);
  }

  line(line, index) {
    const stroke = seriesColor(index);
    const share = this.settings.stacked ? 0.55 : this.series.length > 1 ? 0 : 0.1;
    return {
      label: line.name,
      show: !this.hidden.has(line.name),
      stroke, width: 1.5, dash: dash(index),
      fill: share ? stroke.replace("rgb(", "rgba(").replace(")", `, ${share})`) : undefined,
      spanGaps: false,
      points: { size: 4, show: () => false, filter: (plot, at) => lonely(plot.data[at]) },
    };
  }

  timeAxis() {
    return {
      stroke: color("muted"), font: FONT, size: 28, gap: 7, space: 64,
      grid: { stroke: color("line"), width: 1 }, ticks: { show: false },
      values: (_, splits, _axis, _space, step) => splits.map((at) => (step >= DAY_S || at % DAY_S === 0 ? day(at) : clock(at))),
    };
  }

  valueAxis() {
    const { unit } = this.settings;
    const axis = {
      stroke: color("muted"), font: FONT, gap: 4, space: 32,
      grid: { stroke: color("line"), width: 1 }, ticks: { show: false },
      values: (_, splits) => splits.map((value) => figure(value, unit)),
      size: (_, values) => 14 + 6.4 * Math.max(2, ...(values ?? []).map((text) => text?.length ?? 0)),
    };
    if (unit === "bytes" || unit === "Bps") axis.incrs = BYTES;
    if (unit === "short" && this.series.every((line) => line.values.every(Number.isInteger))) axis.incrs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8, 1e9];
    return axis;
  }

  heights(low, high) {
    const { minimum, maximum, unit } = this.settings;
    const bottom = minimum ?? Math.min(0, low ?? 0);
    let top = Math.max(high ?? 0, ...this.limits().map((step) => step.value).filter((value) => value <= (high ?? 0) * LIMIT_IS_NEAR));
    if (top <= bottom) top = bottom + (unit === "percentunit" ? 0.01 : 1);
    return [bottom < 0 && minimum === null ? bottom * HEADROOM : bottom, maximum ?? top * HEADROOM];
  }

  limits() {
    if (!this.settings.limit_lines) return [];
    return this.settings.thresholds.filter((step) => step.value !== null && step.color !== "green");
  }

  // A limit is a line with its figure; one above the chart is named at the upper edge.
  drawLimits(plot) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * scale}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    ctx.lineWidth = scale;
    let above;
    for (const step of this.limits()) {
      if (step.value > plot.scales.y.max) {
        above ??= step;
        continue;
      }
      if (step.value < plot.scales.y.min) continue;
      const y = Math.round(plot.valToPos(step.value, "y", true));
      ctx.strokeStyle = named(step.color);
      ctx.setLineDash([6 * scale, 4 * scale]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      this.label(ctx, figure(step.value, this.settings.unit), bbox, y > bbox.top + 16 * scale ? y - 4 * scale : y + 12 * scale, step.color);
    }
    if (above) this.label(ctx, `limit ${figure(above.value, this.settings.unit)} ↑`, bbox, bbox.top + 10 * scale, above.color, true);
    ctx.restore();
  }

  // An event that took longer than the chart is high stands at its upper edge.
  drawDots(plot) {
    const { left, top, width } = plot.bbox;
    const scale = devicePixelRatio;
    mark(this.dots, this.events, this.settings.unit,
      (at) => {
        const x = plot.valToPos(at, "x");
        return x >= 0 && x <= width / scale ? left / scale + x : NaN;
      },
      (value) => top / scale + Math.max(0, plot.valToPos(value, "y")));
  }

  label(ctx, text, bbox, y, name, isLeft = false) {
    const width = ctx.measureText(text).width;
    const edge = 4 * devicePixelRatio;
    const right = isLeft ? bbox.left + edge + width : bbox.left + bbox.width - edge;
    ctx.fillStyle = color("surface");
    ctx.globalAlpha = 0.8;
    ctx.fillRect(right - width - 3, y - 10 * devicePixelRatio, width + 6, 13 * devicePixelRatio);
    ctx.globalAlpha = 1;
    ctx.fillStyle = named(name);
    ctx.fillText(text, right, y);
  }

  drawMarks(plot) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - 8 * scale, bbox.width, bbox.height + 8 * scale);
    ctx.clip();
    for (const mark of this.context.marks) {
      const from = plot.valToPos(mark.start, "x", true);
      const to = plot.valToPos(mark.end, "x", true);
      ctx.fillStyle = ctx.strokeStyle = named(mark.color);
      ctx.globalAlpha = 0.1;
      ctx.fillRect(from, bbox.top, Math.max(0, to - from), bbox.height);
      ctx.globalAlpha = 1;
      ctx.lineWidth = scale;
      ctx.setLineDash([2 * scale, 3 * scale]);
      ctx.beginPath();
      ctx.moveTo(from, bbox.top);
      ctx.lineTo(from, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(from - 4 * scale, bbox.top - 7 * scale);
      ctx.lineTo(from + 4 * scale, bbox.top - 7 * scale);
      ctx.lineTo(from, bbox.top);
      ctx.fill();
    }
    ctx.restore();
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < SMALLEST_DRAG_PX) return;
    this.context.zoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  }

  makeLegend() {
    this.values = [];
    this.legend.replaceChildren(...this.series.map((line, index) => {
      const value = element("span", { class: "legend-value" });
      this.values.push(value);
      const key = element("span", { class: "legend-key", "aria-hidden": "true" });
      key.style.borderColor = `var(--${seriesToken(index)})`;
      key.style.borderStyle = dash(index).length ? "dashed" : "solid";
      const button = element("button", { type: "button", "aria-pressed": String(!this.hidden.has(line.name)), title: line.name },
        key, element("span", { class: "legend-name" }, line.name), value);
      button.addEventListener("click", () => this.toggle(index, button));
      return element("li", {}, button);
    }));
  }

  toggle(index, button) {
    const { name } = this.series[index];
    const show = this.hidden.has(name);
    if (show) this.hidden.delete(name);
    else this.hidden.add(name);
    button.setAttribute("aria-pressed", String(show));
    this.plot.setSeries(index + 1, { show });
    if (this.settings.stacked) this.plot.setData([this.times, ...this.lines()]);
  }

  // The legend has the values under the cursor, else the newest ones.
  tell() {
    const at = this.plot?.cursor.idx;
    this.series?.forEach((line, index) => {
      const value = at === null || at === undefined ? newest(line.values) : line.values[at];
      const place = this.values?.[index];
      if (place) place.textContent = shown(this.settings, value);
    });
  }

  describe() {
    const told = this.series.slice(0, NAMES_READ).map((line) => `${line.name} ${shown(this.settings, newest(line.values))}`);
    const more = this.series.length > NAMES_READ ? ` and ${this.series.length - NAMES_READ} more` : "";
    this.place.setAttribute("aria-label", `${this.settings.title}, a chart. Newest: ${told.join(", ")}${more}. Arrow keys move along it.`);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!this.plot || (!step && event.key !== "Escape")) return;
    event.preventDefault();
    const last = this.times.length - 1;
    const at = step ? Math.min(last, Math.max(0, (this.plot.cursor.idx ?? last + 1) + step)) : null;
    const left = at === null ? -10 : this.plot.valToPos(this.times[at], "x");
    this.plot.setCursor({ left, top: 10 }, true, true);
    if (at === null) return;
    const words = this.series.slice(0, NAMES_READ).map((line) => `${line.name} ${shown(this.settings, line.values[at])}`);
    this.told.textContent = `${moment(this.times[at])}: ${words.join(", ")}`;
  }

  size() {
    return { width: Math.max(120, this.place.clientWidth), height: Math.max(80, this.place.clientHeight) };
  }

  fit() {
    const { width, height } = this.size();
    if (this.plot && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height });
  }

  redraw() {
    this.plot?.redraw(false);
  }

  destroy() {
    this.sizes.disconnect();
    this.plot?.destroy();
    this.field.remove();
    this.legend.remove();
    this.told.remove();
  }
}

// A value with gaps on both sides has no line; it gets a point.
function lonely(values) {
  const found = [];
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) found.push(i);
  }
  return found.length ? found : null;
}

function newest(values) {
  for (let i = values.length - 1; i >= 0; i -= 1) if (values[i] !== null) return values[i];
  return null;
}

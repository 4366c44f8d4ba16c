// How many took how long: a column for each moment, a row for each bucket, darker is more.
import { color } from "./colors.js";
import { clock, element, moment } from "./dom.js";
import { mark } from "./traces.js";
import { figure } from "./units.js";

const FAINTEST = 0.06;

export class Heatmap {
  constructor(body, settings, context) {
    this.settings = settings;
    this.context = context;
    this.canvas = element("canvas", { role: "img", class: "cells" });
    this.dots = element("div", { class: "dots", "aria-hidden": "true" });
    this.bounds = element("div", { class: "bounds", "aria-hidden": "true" });
    this.times = element("div", { class: "times", "aria-hidden": "true" });
    this.told = element("p", { class: "panel-note cell-told" });
    this.place = body.appendChild(element("div", { class: "heat" }, this.bounds, this.canvas, this.times, this.told, this.dots));
    this.canvas.addEventListener("mousemove", (event) => this.tell(event));
    this.canvas.addEventListener("mouseleave", () => { this.told.textContent = this.summary; });
    this.sizes = new ResizeObserver(() => this.redraw());
    this.sizes.observe(this.canvas);
  }

  draw(answer) {
    this.answer = answer;
    const isUsed = (line) => line.values.some((value) => value > 0);
    const first = answer.series.findIndex(isUsed), last = answer.series.findLastIndex(isUsed);
    this.rows = first < 0 ? answer.series : answer.series.slice(first, last + 1);
    this.most = Math.max(...this.rows.flatMap((line) => line.values.map((value) => value ?? 0)), 1e-12);
    this.bounds.replaceChildren(...this.rows.map((line, index) => element("span", {}, this.labelled(index) ? this.bound(line) : "")).reverse());
    const { start, end } = this.context;
    this.times.replaceChildren(...[0, 0.5, 1].map((part) => element("span", {}, clock(start + (end - start) * part))));
    const busiest = this.rows.reduce((a, b) => (sum(b) > sum(a) ? b : a), this.rows[0]);
    this.summary = `Most often up to ${this.bound(busiest)}; the darkest cell is ${figure(this.most, "short")} a second.`;
    this.told.textContent = this.summary;
    this.canvas.setAttribute("aria-label", `${this.settings.title}, a heat map. ${this.summary}`);
    this.redraw();
  }

  labelled(index) {
    return index % Math.max(1, Math.ceil(this.rows.length / 8)) === 0;
  }

  bound(line) {
    return line.name === "+Inf" ? "more" : figure(Number(line.name), this.settings.unit);
  }

  redraw() {
    if (!this.answer) return;
    const scale = devicePixelRatio;
    const width = (this.canvas.width = Math.round(this.canvas.clientWidth * scale));
    const height = (this.canvas.height = Math.round(this.canvas.clientHeight * scale));
    const ctx = this.canvas.getContext("2d");
    const { start, step } = this.answer;
    const x = (at) => ((at - this.context.start) / (this.context.end - this.context.start)) * width;
    const tall = height / this.rows.length;
    ctx.fillStyle = color("series-1");
    this.rows.forEach((line, row) => {
      const top = Math.round(height - (row + 1) * tall), bottom = Math.round(height - row * tall);
      let left = 0, all = 0, count = 0; // moments that share a pixel are one cell, of their mean
      line.values.forEach((value, index) => {
        if (!count) left = Math.round(x(start + index * step));
        const right = Math.round(x(start + (index + 1) * step));
        all += value ?? 0;
        count += 1;
        if (right <= left) return;
        if (all) {
          ctx.globalAlpha = FAINTEST + (1 - FAINTEST) * Math.sqrt(all / count / this.most);
          ctx.fillRect(left, top, right - left, bottom - top - 1);
        }
        all = count = 0;
      });
    });
    this.drawDots();
  }

  // Within its bucket an event stands where it lies between the bucket's bounds.
  drawDots() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { start, end } = this.context;
    const tall = height / this.rows.length;
    mark(this.dots, this.answer.dots ?? [], this.settings.unit,
      (at) => (at < start || at > end ? NaN : ((at - start) / (end - start)) * width),
      (value) => {
        const row = this.rows.findIndex((line) => line.name === "+Inf" || value <= Number(line.name));
        if (row < 0) return NaN;
        const low = row ? Number(this.rows[row - 1].name) : 0, high = Number(this.rows[row].name);
        const share = Number.isFinite(high) && high > low ? Math.max(0, (value - low) / (high - low)) : 0.5;
        return height - (row + share) * tall;
      });
  }

  tell(event) {
    const box = this.canvas.getBoundingClientRect();
    const row = this.rows[Math.floor((1 - (event.clientY - box.top) / box.height) * this.rows.length)];
    const at = this.context.start + ((event.clientX - box.left) / box.width) * (this.context.end - this.context.start);
    const value = row?.values[Math.floor((at - this.answer.start) / this.answer.step)];
    if (value === undefined) return;
    this.told.textContent = `${moment(at)}, up to ${this.bound(row)}: ${figure(value, "short")} a second`;
  }

  destroy() {
    this.sizes.disconnect();
    this.place.remove();
  }
}

const sum = (line) => line.values.reduce((all, value) => all + (value ?? 0), 0);

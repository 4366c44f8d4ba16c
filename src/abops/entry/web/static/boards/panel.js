// One panel: what draws it, and its states: waiting, drawn, empty, failed, old.
import { age } from "../js/time.js";
import { Chart } from "./chart.js";
import { note } from "./dom.js";
import { BarGauge, Gauge, Stat } from "./figures.js";
import { Heatmap } from "./heatmap.js";
import { Table } from "./table.js";
import { Timeline } from "./timeline.js";
import { TraceList } from "./traces.js";

const DRAWS = {
  timeseries: Chart,
  stat: Stat,
  gauge: Gauge,
  bargauge: BarGauge,
  table: Table,
  heatmap: Heatmap,
  "state-timeline": Timeline,
};

export class PanelView {
  constructor(article, context) {
    this.article = article;
    this.context = context;
    this.settings = JSON.parse(article.dataset.panel);
    this.body = article.querySelector(".panel-body");
    this.badge = article.querySelector(".panel-age");
    this.drawing = undefined;
    this.traces = new TraceList(this.settings);
    this.answer = undefined;
    this.at = 0;
    this.failure = "";
  }

  get isDrawn() {
    return this.answer !== undefined;
  }

  loading() {
    this.article.setAttribute("aria-busy", "true");
    if (!this.isDrawn) this.body.replaceChildren(note("Loading", "is-waiting"));
  }

  take(answer) {
    this.article.removeAttribute("aria-busy");
    if (answer.status === "error") return this.fail(answer.error);
    if (answer.status === "stale") {
      if (!this.isDrawn) {
        this.at = Date.now() - (answer.age_s ?? 0) * 1000;
        this.show(answer);
      }
      return this.fail(answer.error);
    }
    this.failure = "";
    this.at = Date.now();
    this.show(answer);
    this.tellAge();
  }

  show(answer) {
    this.answer = answer;
    if (!answer.series?.length && !answer.table?.rows.length) {
      this.clear();
      this.body.replaceChildren(note(this.body.dataset.noValue));
      return;
    }
    if (!this.drawing) {
      this.body.replaceChildren();
      this.drawing = new DRAWS[this.settings.type](this.body, this.settings, this.context);
    }
    this.drawing.draw(answer);
    this.showTraces(answer.dots ?? []);
    if (answer.note) this.body.append(note(answer.note));
  }

  showTraces(dots) {
    this.traces.show(dots);
    if (!dots.length && !this.traces.place.open) this.traces.place.remove();
    else if (!this.traces.place.isConnected) this.body.append(this.traces.place);
  }

  fail(reason) {
    this.article.removeAttribute("aria-busy");
    this.failure = reason;
    if (!this.isDrawn) this.body.replaceChildren(note(reason, "is-failed"));
    this.tellAge();
  }

  // An old picture says so on the panel itself: the page's header may be out of sight.
  tellAge() {
    const isOld = Boolean(this.failure) && this.isDrawn;
    this.badge.hidden = !isOld;
    if (!isOld) return;
    this.badge.textContent = `${age((Date.now() - this.at) / 1000)} old`;
    this.badge.title = this.failure;
  }

  redraw(isTheme = false) {
    if (!this.drawing || !this.answer) return;
    if (isTheme && this.drawing.destroy) {
      this.clear();
      this.show(this.answer);
    } else {
      this.drawing.redraw?.();
    }
  }

  clear() {
    this.drawing?.destroy?.();
    this.drawing = undefined;
  }
}

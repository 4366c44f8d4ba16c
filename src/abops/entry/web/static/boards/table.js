// A table whose columns sort; figures on the right, with their unit.
import { element } from "./dom.js";
import { figure } from "./units.js";

export class Table {
  constructor(body, settings) {
    this.settings = settings;
    this.sorted = { at: -1, down: true };
    this.place = body.appendChild(element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": settings.title }));
  }

  draw(answer) {
    this.table = answer.table;
    const { columns } = this.table;
    const rows = [...this.table.rows];
    const { at, down } = this.sorted;
    if (at >= 0) rows.sort((a, b) => compare(a[at], b[at]) * (down ? -1 : 1));
    const head = columns.map((column, index) => {
      const button = element("button", { type: "button" }, column.name);
      button.addEventListener("click", () => this.sort(index));
      const sort = index === at ? (down ? "descending" : "ascending") : undefined;
      return element("th", { scope: "col", class: column.is_number ? "number" : "", "aria-sort": sort }, button);
    });
    const lines = rows.map((cells) => element("tr", {}, ...cells.map((cell, index) => {
      const column = columns[index];
      return element("td", { class: column.is_number ? "number" : "" },
        column.is_number ? figure(cell, column.unit || "short", column.decimals) : cell);
    })));
    this.place.replaceChildren(element("table", {},
      element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines)));
  }

  sort(index) {
    this.sorted = { at: index, down: this.sorted.at === index ? !this.sorted.down : true };
    this.draw({ table: this.table });
    this.place.querySelectorAll("th button")[index].focus();
  }
}

function compare(a, b) {
  if (a === null || b === null) return (a !== null) - (b !== null);
  return typeof a === "string" ? a.localeCompare(b) : a - b;
}

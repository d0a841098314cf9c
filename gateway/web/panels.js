/** Plots under each other on one time axis, each with any number of lines, drawn by BokehJS. It is given columns and ranges. */

import { addMarks, addPointer, addSpans, discard, embed, LEFT_PX, loaded, model, RIGHT_PX, settle, timePlot } from "./bokeh.js";
import { el, say } from "./dom.js";

const NO_SPANS = { start: [], end: [], color: [] };
const NO_MARKS = { t: [], y: [], marker: [], color: [] };

export class Panels {
  constructor(box) {
    this.box = box;
    this.built = null;
    this.ready = false;
    this.turn = null;
  }

  /** Starts anew. `panels`: `{title, lines: [{key, color, faint}]}`; colours are the palette's. Rejects without the library. */
  async build(panels, colors) {
    this.drop();
    const turn = {};
    this.turn = turn;
    await loaded();
    if (turn !== this.turn) return false;
    this.x = model("Range1d", { start: 0, end: 1 });
    this.spans = model("ColumnDataSource", { data: NO_SPANS });
    this.lines = new Map();
    const made = panels.map((panel, p) => this.makePanel(panel, colors, p === panels.length - 1, panels.length === 1));
    this.panels = made;
    this.box.replaceChildren(...made.map(({ node }) => node));
    const { built, views } = await embed(made.map(({ plot }) => plot), this.box, made.map(({ holder }) => holder));
    if (turn !== this.turn) {
      discard(built);
      return false;
    }
    this.built = built;
    for (const { plot } of made) settle(views.get(plot));
    this.ready = true;
    return true;
  }

  makePanel(panel, colors, last, only) {
    const y = model("Range1d", { start: -1, end: 1 });
    const plot = timePlot(this.x, y, this.box.clientWidth, colors, last);
    addSpans(plot, this.spans);
    for (const { key, color, faint } of panel.lines) {
      const source = model("ColumnDataSource", { data: { t: [], y: [] } });
      plot.add_glyph(model("Line", {
        x: { field: "t" }, y: { field: "y" }, line_color: faint ? colors.soft : colors.traces[color % colors.traces.length],
        line_alpha: faint ? 0.55 : 1, line_width: faint ? 1 : 1.5, line_join: "round",
      }), source);
      this.lines.set(key, source);
    }
    const marks = model("ColumnDataSource", { data: NO_MARKS });
    addMarks(plot, marks);
    addPointer(plot, colors);
    const base = el("span", { class: "panel-base" });
    const head = el("p", { class: "panel-head" }, el("span", { class: "panel-title", "data-color": panel.lines[0]?.color % 8 }, panel.title), base);
    const holder = el("div", { class: "panel-plot" });
    return { y, plot, marks, base, holder, node: el("div", { class: `panel ${last ? "last" : ""} ${only ? "only" : ""}` }, head, holder) };
  }

  drop() {
    this.ready = false;
    this.turn = null;
    if (this.built === null) return;
    discard(this.built);
    this.built = null;
    this.box.replaceChildren();
  }

  setLine(key, t, y) {
    this.lines.get(key).data = { t, y };
  }

  setTime(start, end) {
    this.x.setv({ start, end });
  }

  setScale(p, { low, high, base }) {
    this.panels[p].y.setv({ start: low, end: high });
    say(this.panels[p].base, base);
  }

  setMarks(p, columns) {
    this.panels[p].marks.data = columns;
  }

  setSpans(columns) {
    this.spans.data = columns;
  }

  setPointer(ms) {
    for (const { plot } of this.panels) plot.pointer.setv(ms === null ? { visible: false } : { visible: true, location: ms });
  }

  /** Makes many changes with one drawing at the end. */
  together(change) {
    for (const { plot } of this.panels) plot.hold_render = true;
    change();
    for (const { plot } of this.panels) plot.hold_render = false;
  }

  /** Where the times lie on the screen: `{left, width}` in CSS pixels. */
  frame() {
    const { left, width } = this.box.getBoundingClientRect();
    return { left: left + LEFT_PX, width: Math.max(50, width - LEFT_PX - RIGHT_PX) };
  }
}

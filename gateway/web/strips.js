/**
 * The strip chart: one plot a channel under a narrow lane of events, all on one time axis, drawn by BokehJS.
 *
 * It knows nothing of stations or of the wire; it is given columns and ranges.
 */

import { addMarks, addPointer, addSpans, discard, embed, LEFT_PX, loaded, model, RIGHT_PX, settle, timePlot } from "./bokeh.js";
import { el, say } from "./dom.js";
import { figure } from "./words.js";

const ROWS_KEPT = 4000;

/** New columns cost a new layout of every mark; those that say the same are left. */
function replaceWhereOther(source, columns) {
  const same = ([name, column]) => {
    const old = source.data[name];
    return old.length === column.length && column.every((value, i) => value === old[i]);
  };
  if (!Object.entries(columns).every(same)) source.data = columns;
}

export class Strips {
  /** `onBrowse(start, end)`: the person has moved the time axis; `onPoint(ms | null)`: the pointer is at this time. */
  constructor(box, onBrowse, onPoint) {
    this.box = box;
    this.onBrowse = onBrowse;
    this.onPoint = onPoint;
    this.ours = false;
    this.ready = false;
    this.document = null;
    this.plots = [];
  }

  /** Starts anew with these channels (`name`, `unit`, `color` index). Rejects when the library does not load. */
  async build(channels, colors) {
    this.drop();
    const turn = {};
    this.turn = turn;
    await loaded();
    if (turn !== this.turn) return;
    this.channels = channels;
    this.line = model("ColumnDataSource", { data: this.emptyRows() });
    this.spans = model("ColumnDataSource", { data: { start: [], end: [], color: [], label: [], at: [] } });
    this.marks = channels.map(() => model("ColumnDataSource", { data: { t: [], y: [], marker: [], color: [] } }));
    this.x = model("Range1d", { start: 0, end: 1 });
    this.x.change.connect(() => this.ours || this.onBrowse(this.x.start, this.x.end));
    this.y = channels.map(() => model("Range1d", { start: -1, end: 1 }));
    this.lane = this.makeLane(colors);
    this.plots = channels.map((channel, c) => this.makePlot(channel, c, colors));
    this.heads = channels.map((channel) => this.makeHead(channel));
    const holders = [this.lane, ...this.plots].map(() => el("div", { class: "strip-plot" }));
    holders[0].classList.add("strip-lane");
    this.box.replaceChildren(holders[0], ...channels.map((_, c) => el("div", { class: "strip" }, this.heads[c].node, holders[c + 1])));
    const plots = [this.lane, ...this.plots];
    const { built, views } = await embed(plots, this.box, holders);
    if (turn !== this.turn) return discard(built);
    this.document = built;
    for (const plot of plots) settle(views.get(plot));
    this.ready = true;
  }

  drop() {
    this.ready = false;
    if (this.document === null) return;
    discard(this.document);
    this.document = null;
    this.box.replaceChildren();
  }

  emptyRows() {
    return Object.fromEntries([["t", []], ...this.channels.map((_, c) => [`c${c}`, []])]);
  }

  makePlot(channel, c, colors) {
    const last = c === this.channels.length - 1;
    const plot = timePlot(this.x, this.y[c], this.box.clientWidth, colors, last);
    addSpans(plot, this.spans);
    plot.add_glyph(model("Line", {
      x: { field: "t" }, y: { field: `c${c}` }, line_color: colors.traces[channel.color], line_width: 1.5, line_join: "round",
    }), this.line);
    addMarks(plot, this.marks[c]);
    addPointer(plot, colors);
    this.makeTools(plot);
    return plot;
  }

  makeTools(plot) {
    const pan = model("PanTool", { dimensions: "width" });
    const zoom = model("WheelZoomTool", { dimensions: "width", modifiers: { ctrl: true } });
    plot.toolbar.tools = [pan, zoom];
    plot.toolbar.active_drag = pan;
    plot.toolbar.active_scroll = zoom;
    plot.on_event("mousemove", (event) => this.onPoint(event.x));
    plot.on_event("mouseleave", () => this.onPoint(null));
    plot.on_event("tap", (event) => this.onPoint(event.x));
  }

  makeLane(colors) {
    const plot = model("Plot", {
      x_range: this.x, y_range: model("Range1d", { start: 0, end: 1 }), sizing_mode: "stretch_both", toolbar_location: null,
      min_border_left: LEFT_PX, min_border_right: RIGHT_PX, min_border_top: 0, min_border_bottom: 0,
      background_fill_alpha: 0, border_fill_alpha: 0, outline_line_color: null,
    });
    plot.add_glyph(model("Quad", {
      left: { field: "start" }, right: { field: "end" }, bottom: { value: 0 }, top: { value: 0.16 }, fill_color: { field: "color" }, line_color: { field: "color" },
    }), this.spans);
    plot.add_glyph(model("Text", {
      x: { field: "at" }, y: { value: 0.55 }, text: { field: "label" }, text_color: { field: "color" }, text_font: { value: colors.font },
      text_font_size: { value: "12px" }, text_font_style: { value: "normal" }, text_baseline: { value: "middle" },
    }), this.spans);
    return plot;
  }

  makeHead(channel) {
    const value = el("span", { class: "strip-value" });
    const base = el("span", { class: "strip-base" });
    const name = el("span", { class: "strip-name" }, channel.name);
    const node = el("div", { class: "strip-head", "data-color": channel.color }, name, value, el("span", { class: "strip-unit" }, channel.unit), base);
    return { node, value, base };
  }

  /** All rows, relative to each channel's base. */
  replace(t, columns) {
    this.line.data = Object.fromEntries([["t", t], ...columns.map((column, c) => [`c${c}`, column])]);
  }

  /** Rows that follow those that are there. */
  append(t, columns) {
    this.line.stream(Object.fromEntries([["t", t], ...columns.map((column, c) => [`c${c}`, column])]), ROWS_KEPT);
  }

  setTime(start, end) {
    this.ours = true;
    this.x.setv({ start, end });
    this.ours = false;
  }

  setScale(c, low, high) {
    if (this.y[c].start !== low || this.y[c].end !== high) this.y[c].setv({ start: low, end: high });
  }

  setMarks(columns) {
    columns.forEach((column, c) => replaceWhereOther(this.marks[c], column));
  }

  setSpans(columns) {
    replaceWhereOther(this.spans, columns);
  }

  /** Makes many changes with one drawing at the end. */
  together(change) {
    const plots = [this.lane, ...this.plots];
    for (const plot of plots) plot.hold_render = true;
    change();
    for (const plot of plots) plot.hold_render = false;
  }

  /** The numbers above each plot: its value now, or where the pointer is, and what zero stands for. */
  setNumbers(values, bases) {
    this.channels.forEach((channel, c) => {
      const { value, base } = this.heads[c];
      say(value, figure(values?.[c], channel.decimals));
      say(base, bases[c] === 0 ? "" : `0 = ${figure(bases[c], bases[c] % 1 ? 1 : 0)} ${channel.unit}`);
    });
  }

  setPointer(ms) {
    for (const plot of this.plots) plot.pointer.setv(ms === null ? { visible: false } : { visible: true, location: ms });
  }

  /** Milliseconds that one pixel of the time axis stands for. */
  get msPerPx() {
    return (this.x.end - this.x.start) / Math.max(100, this.box.clientWidth - LEFT_PX - RIGHT_PX);
  }
}

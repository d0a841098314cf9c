/**
 * The strip chart: one plot a channel under a narrow lane of events, all on one time axis, drawn by BokehJS.
 *
 * It knows nothing of stations or of the wire; it is given columns and ranges. No model here runs code from a string
 * (CustomJS and its kin), which the page's content security policy forbids.
 */

import { el, say } from "./dom.js";
import { figure } from "./words.js";

const LEFT_PX = 46;
const RIGHT_PX = 10;
const ROWS_KEPT = 4000;

const model = (name, attributes) => new (window.Bokeh.Models.get(name))(attributes);

let library = null;

/** BokehJS, over a megabyte, is loaded beside the page and not before it: alerts do not wait for it. */
function loaded() {
  library ??= new Promise((resolve, reject) => {
    const script = el("script", { src: "/static/bokeh/bokeh.min.js" });
    script.addEventListener("load", () => {
      window.Bokeh.set_log_level("warn");
      resolve();
    });
    script.addEventListener("error", () => {
      library = null;
      reject(new Error("the drawing library did not load"));
    });
    document.head.append(script);
  });
  return library;
}

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
    const { Document } = window.Bokeh.require("document/index");
    const built = new Document();
    this.document = built;
    for (const plot of plots) built.add_root(plot);
    const views = await window.Bokeh.embed.add_document_standalone(built, this.box, holders);
    if (turn !== this.turn) return;
    for (const plot of plots) this.settle(views.get(plot));
    this.ready = true;
  }

  /**
   * Fits a plot into a page that is scrolled: a finger that moves up or down scrolls the page, one that moves sideways
   * the time axis; the wheel scrolls without being told about Ctrl each time; the canvas, which keys do not move, is no
   * stop for the Tab key.
   */
  settle(view) {
    view.canvas_view.touch_action.replace(".bk-events { touch-action: pan-y !important; outline: none !important; }");
    view.canvas_view.events_el.tabIndex = -1;
    view.notify_about = () => {};
  }

  drop() {
    this.ready = false;
    if (this.document === null) return;
    this.document.clear();
    const all = window.Bokeh.documents;
    all.splice(all.indexOf(this.document), 1);
    this.document = null;
    this.box.replaceChildren();
  }

  emptyRows() {
    return Object.fromEntries([["t", []], ...this.channels.map((_, c) => [`c${c}`, []])]);
  }

  makePlot(channel, c, colors) {
    const last = c === this.channels.length - 1;
    const plot = model("Plot", {
      x_range: this.x, y_range: this.y[c], sizing_mode: "stretch_both", toolbar_location: null,
      min_border_left: LEFT_PX, min_border_right: RIGHT_PX, min_border_top: 4, min_border_bottom: last ? 24 : 4,
      frame_align: false, background_fill_alpha: 0, border_fill_alpha: 0, outline_line_color: colors.grid, lod_threshold: null,
    });
    const xTicker = model("DatetimeTicker", { desired_num_ticks: Math.max(2, Math.min(6, Math.floor(this.box.clientWidth / 120))) });
    const yTicker = model("BasicTicker", { desired_num_ticks: 4 });
    plot.add_layout(model("Grid", { dimension: 0, ticker: xTicker, grid_line_color: colors.grid }));
    plot.add_layout(model("Grid", { dimension: 1, ticker: yTicker, grid_line_color: colors.grid }));
    const text = { major_label_text_color: colors.soft, major_label_text_font: colors.font, major_label_text_font_size: "11.5px" };
    const bare = { axis_line_color: null, minor_tick_line_color: null, major_tick_line_color: null };
    const numbers = model("BasicTickFormatter", { use_scientific: false });
    plot.add_layout(model("LinearAxis", { ticker: yTicker, formatter: numbers, major_label_standoff: 4, ...text, ...bare }), "left");
    if (last) {
      const clock = "%H:%M";
      const exact = "%H:%M:%S";
      const times = model("DatetimeTickFormatter", {
        microseconds: "%H:%M:%S.%3N", milliseconds: "%H:%M:%S.%3N", seconds: exact, minsec: exact, minutes: clock, hourmin: clock,
        hours: clock, days: "%d %b", strip_leading_zeros: false, boundary_scaling: false,
      });
      plot.add_layout(model("LinearAxis", { ticker: xTicker, formatter: times, major_label_standoff: 4, ...text, ...bare }), "below");
    }
    plot.add_glyph(model("VStrip", {
      x0: { field: "start" }, x1: { field: "end" }, fill_color: { field: "color" }, fill_alpha: 0.09, line_color: { field: "color" }, line_alpha: 0.35,
    }), this.spans);
    plot.add_glyph(model("Line", {
      x: { field: "t" }, y: { field: `c${c}` }, line_color: colors.traces[channel.color], line_width: 1.5, line_join: "round",
    }), this.line);
    plot.add_glyph(model("Scatter", {
      x: { field: "t" }, y: { field: "y" }, marker: { field: "marker" }, size: 8, fill_color: { field: "color" }, line_color: { field: "color" }, line_width: 1.5,
    }), this.marks[c]);
    plot.pointer = model("Span", { dimension: "height", location: 0, line_color: colors.soft, line_width: 1, visible: false });
    plot.add_layout(plot.pointer);
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

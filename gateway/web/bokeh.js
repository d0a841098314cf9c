/**
 * What every chart takes from BokehJS: the library itself, its models, axes in the page's own look.
 *
 * No model here runs code from a string (CustomJS and its kin), which the page's content security policy forbids.
 */

import { el } from "./dom.js";

export const LEFT_PX = 46;
export const RIGHT_PX = 10;

export const model = (name, attributes) => new (window.Bokeh.Models.get(name))(attributes);

let library = null;

/** BokehJS, over a megabyte, is loaded beside the page and not before it: alerts do not wait for it. */
export function loaded() {
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

/** An empty plot over a time axis that others share; `last`: the one that writes the times below it. */
export function timePlot(x, y, widthPx, colors, last) {
  const plot = model("Plot", {
    x_range: x, y_range: y, sizing_mode: "stretch_both", toolbar_location: null,
    min_border_left: LEFT_PX, min_border_right: RIGHT_PX, min_border_top: 4, min_border_bottom: last ? 24 : 4,
    frame_align: false, background_fill_alpha: 0, border_fill_alpha: 0, outline_line_color: colors.grid, lod_threshold: null,
  });
  const xTicker = model("DatetimeTicker", { desired_num_ticks: Math.max(3, Math.min(6, Math.floor(widthPx / 120))) });
  const yTicker = model("BasicTicker", { desired_num_ticks: 4 });
  plot.add_layout(model("Grid", { dimension: 0, ticker: xTicker, grid_line_color: colors.grid }));
  plot.add_layout(model("Grid", { dimension: 1, ticker: yTicker, grid_line_color: colors.grid }));
  const text = { major_label_text_color: colors.soft, major_label_text_font: colors.font, major_label_text_font_size: "11.5px" };
  const bare = { axis_line_color: null, minor_tick_line_color: null, major_tick_line_color: null };
  const numbers = model("BasicTickFormatter", { use_scientific: false });
  plot.add_layout(model("LinearAxis", { ticker: yTicker, formatter: numbers, major_label_standoff: 4, ...text, ...bare }), "left");
  if (last) plot.add_layout(model("LinearAxis", { ticker: xTicker, formatter: times(), major_label_standoff: 4, ...text, ...bare }), "below");
  return plot;
}

function times() {
  const clock = "%H:%M";
  const exact = "%H:%M:%S";
  return model("DatetimeTickFormatter", {
    microseconds: "%H:%M:%S.%3N", milliseconds: "%H:%M:%S.%3N", seconds: exact, minsec: exact, minutes: clock, hourmin: clock,
    hours: clock, days: "%d %b", strip_leading_zeros: false, boundary_scaling: false,
  });
}

/** Shaded spans of time, from columns `start, end, color`. */
export const addSpans = (plot, spans) => plot.add_glyph(model("VStrip", {
  x0: { field: "start" }, x1: { field: "end" }, fill_color: { field: "color" }, fill_alpha: 0.09, line_color: { field: "color" }, line_alpha: 0.35,
}), spans);

/** Marks, from columns `t, y, marker, color`. */
export const addMarks = (plot, marks) => plot.add_glyph(model("Scatter", {
  x: { field: "t" }, y: { field: "y" }, marker: { field: "marker" }, size: 8, fill_color: { field: "color" }, line_color: { field: "color" }, line_width: 1.5,
}), marks);

export function addPointer(plot, colors) {
  plot.pointer = model("Span", { dimension: "height", location: 0, line_color: colors.soft, line_width: 1, visible: false });
  plot.add_layout(plot.pointer);
}

/**
 * Fits a plot into a page that is scrolled: a finger that moves up or down scrolls the page, one that moves sideways
 * the time axis; the wheel scrolls without being told about Ctrl each time; the canvas, which keys do not move, is no
 * stop for the Tab key.
 */
export function settle(view) {
  view.canvas_view.touch_action.replace(".bk-events { touch-action: pan-y !important; outline: none !important; }");
  view.canvas_view.events_el.tabIndex = -1;
  view.notify_about = () => {};
}

/** Puts plots into their holders; the document that they belong to, and a view of each. */
export async function embed(plots, box, holders) {
  const { Document } = window.Bokeh.require("document/index");
  const built = new Document();
  for (const plot of plots) built.add_root(plot);
  const views = await window.Bokeh.embed.add_document_standalone(built, box, holders);
  return { built, views };
}

export function discard(built) {
  built.clear();
  const all = window.Bokeh.documents;
  all.splice(all.indexOf(built), 1);
}

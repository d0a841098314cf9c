/** The chart of one sensor: what it shows, how it follows the present, and how it is looked back on. */

import { Axes } from "./axes.js";
import { now } from "./clock.js";
import { Controls } from "./controls.js";
import { byId } from "./dom.js";
import { eventColumns, markColumns } from "./marks.js";
import * as server from "./server.js";
import { Strips } from "./strips.js";
import { onThemeChange, palette } from "./theme.js";
import { Trace } from "./trace.js";

const MINUTE_MS = 60_000;
const REDRAW_MS = { 2: 250, 10: 500, 60: 1000 };
const NEAR_SCREEN = "200px";
const FEWEST_ROWS = 600;
const MOST_ROWS = 3000;
const SETTLE_MS = 250;
const LATE_MS = 3000;
const READING_MS = 15_000;

/** Channels that the chart opens with: those in tesla, at most three; the first three where there are none. */
function usual(channels) {
  const field = channels.filter((channel) => /^[npµu]?T$/.test(channel.unit)).slice(0, 3);
  return new Set((field.length ? field : channels.slice(0, 3)).map((channel) => channel.name));
}

export class Chart {
  /** `stations`: where sensors are described; `eventsOf(station, sensor)`: what is shaded. */
  constructor(stations, eventsOf) {
    this.stations = stations;
    this.eventsOf = eventsOf;
    this.minutes = 2;
    this.shown = new Map();
    this.channels = [];
    this.browse = null;
    this.trace = null;
    this.layout = null;
    this.token = 0;
    this.pending = null;
    this.refetch = null;
    this.pointerMs = null;
    this.strips = new Strips(byId("chart-strips"), {
      range: () => this.view(), onBrowse: (start, end) => this.browsed(start, end), onPoint: (ms) => this.pointed(ms),
    });
    this.controls = new Controls({
      live: () => this.choose(this.station, this.sensor),
      minutes: (minutes) => this.setWindow(minutes),
      sensor: (name) => this.choose(this.station, name),
      channel: (name) => this.toggle(name),
    });
    this.onScreen = true;
    new IntersectionObserver(([seen]) => (this.onScreen = seen.isIntersecting), { rootMargin: NEAR_SCREEN }).observe(byId("chart-strips"));
    onThemeChange(() => this.draw());
    document.addEventListener("visibilitychange", () => document.hidden || this.fetch());
    this.setWindow(this.minutes);
  }

  setWindow(minutes) {
    this.minutes = minutes;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.onScreen && !document.hidden && this.draw(), REDRAW_MS[minutes]);
    this.choose(this.station, this.sensor);
  }

  /** Shows a sensor: live, or around a span of time `{start, end}` (ms) that lies further back. */
  async choose(station, sensor, span = null) {
    if (station !== this.station || sensor !== this.sensor) {
      this.trace = null;
      this.layout = null;
      this.channels = [];
    }
    this.station = station;
    this.sensor = sensor;
    this.browse = span;
    await this.fetch();
  }

  get key() {
    return `${this.station}/${this.sensor}`;
  }

  /** The times (ms) at the ends of the axis. A sensor long silent is shown as it was when last heard. */
  view() {
    if (this.browse) return [this.browse.start, this.browse.end];
    const span = this.minutes * MINUTE_MS;
    const last = this.stations.lastMs.get(this.key);
    const end = last !== undefined && now() - last > span ? last : now();
    return [end - span, end];
  }

  described() {
    return this.stations.get(this.station)?.sensors?.find((sensor) => sensor.sensor === this.sensor) ?? null;
  }

  /** Gets the view anew; false when the gateway does not answer. An answer overtaken by a later question is dropped. */
  async fetch() {
    const token = ++this.token;
    this.pending = null;
    this.unplan();
    this.state();
    if (!this.sensor || byId("view-now").hidden) return true;
    this.pending = [];
    const [start, end] = this.view();
    const before = this.browse ? (end - start) / 4 : 0;
    const after = this.browse ? before : 5000;
    const rows = Math.min(MOST_ROWS, Math.max(FEWEST_ROWS, 2 * byId("chart-strips").clientWidth));
    let series;
    try {
      series = await server.series(this.station, this.sensor, start - before, end + after, rows);
    } catch (error) {
      if (token === this.token) {
        this.pending = null;
        this.controls.unanswered();
      }
      console.info(`magwatch: ${error.message}`);
      return false;
    }
    if (token !== this.token) return true;
    if (series.channels.length === 0) {
      this.pending = null;
      this.controls.note(end, this.browse !== null, true);
      return true;
    }
    this.channels = series.channels;
    this.trace = new Trace(series.channels.length, end - start, rows, 1000 / (this.described()?.rate_hz || 1));
    this.trace.load(series.times_ms, series.values, series.flags);
    for (const message of this.pending) this.take(message);
    this.pending = null;
    this.lay();
    this.controls.note(end, this.browse !== null, this.trace.t.length === 0);
    return true;
  }

  /** Draws from the beginning, with new plots when the channels are not those that are up. */
  lay() {
    if (!this.shown.has(this.key)) this.shown.set(this.key, usual(this.channels));
    const shown = this.shown.get(this.key);
    const columns = this.channels.map((_, c) => c).filter((c) => shown.has(this.channels[c].name));
    const layout = JSON.stringify([this.key, columns, this.channels]);
    if (layout !== this.layout) {
      this.layout = layout;
      this.axes = new Axes(columns, columns.map((c) => this.channels[c].unit));
      this.strips.build(columns.map((c) => ({ ...this.channels[c], color: c % 4, decimals: 1 })));
    }
    this.state();
    this.axes.forget();
    this.draw();
  }

  /** Live samples, of any sensor. */
  samples(message) {
    if (message.station !== this.station || message.sensor !== this.sensor || this.browse) return;
    if (this.pending) this.pending.push(message);
    else if (this.trace && message.channels.every((name) => this.channels.some((channel) => channel.name === name))) this.take(message);
    else this.later(SETTLE_MS);
  }

  take({ channels, times_ms: times, values, flags }) {
    const places = this.channels.map((channel) => channels.indexOf(channel.name));
    const said = times.map((t, i) => this.trace.push(t, places.map((place) => values[place]?.[i] ?? null), flags[i] ?? 0));
    if (said.includes("late")) this.later(LATE_MS);
  }

  /** Fetches again after a while, once, however often it is asked for. */
  later(ms) {
    this.refetch ??= setTimeout(() => this.fetch(), ms);
  }

  browsed(start, end) {
    this.browse = { start, end };
    this.state();
    this.unplan();
    this.draw();
    this.later(SETTLE_MS);
  }

  unplan() {
    clearTimeout(this.refetch);
    this.refetch = null;
  }

  /** What was read off is let go of after a while: the large numbers are those of now. */
  pointed(ms) {
    clearTimeout(this.reading);
    if (ms !== null) this.reading = setTimeout(() => this.pointed(null), READING_MS);
    this.pointerMs = ms;
    this.draw();
  }

  draw() {
    if (!this.trace || !this.layout) return;
    const { trace, axes, strips } = this;
    const [start, end] = this.view();
    if (this.pointerMs !== null && (this.pointerMs < start || this.pointerMs > end)) this.pointerMs = null;
    axes.rebase(trace, start, end);
    const scales = axes.fit(trace, start, end);
    const colors = palette();
    const msPerPx = (end - start) / strips.frame().width;
    const marks = markColumns(trace, axes.ofTrace(trace.width), start, end, msPerPx, colors.marks);
    const spans = eventColumns(this.eventsOf(this.station, this.sensor), start, end, msPerPx, colors.severity);
    strips.show({ start, end, pointMs: this.pointerMs, spans, colors },
      axes.columns.map((c, k) => ({ t: trace.t, y: trace.v[c], ...scales[k], marks: marks[c] })));
    if (!this.browse) trace.forget(start - (end - start) / 10);
    this.numbers();
  }

  /** The values above the strips: at the pointer, else the newest that is shown. */
  numbers() {
    const at = this.pointerMs ?? this.browse?.end ?? null;
    const found = at === null ? this.trace.latest : this.trace.near(at, this.pointerMs === null ? Infinity : undefined);
    this.strips.setNumbers(found && this.axes.columns.map((c) => found.values[c]), this.axes.bases);
    this.subtitle();
  }

  subtitle() {
    const { sensor, browse, pointerMs } = this;
    const position = this.stations.get(this.station)?.position;
    this.controls.where({ sensor, rateHz: this.described()?.rate_hz, position, browse, pointerMs });
  }

  state() {
    const sensors = this.stations.get(this.station)?.sensors ?? [];
    this.controls.show({
      station: this.station,
      sensor: this.sensor,
      sensors: sensors.map((sensor) => sensor.sensor),
      channels: this.channels.map((channel) => channel.name),
      shown: this.shown.get(this.key) ?? new Set(),
      minutes: this.minutes,
      browsing: this.browse !== null,
    });
    this.subtitle();
  }

  toggle(name) {
    const shown = this.shown.get(this.key);
    if (!shown.delete(name)) shown.add(name);
    if (shown.size === 0) shown.add(name);
    this.lay();
  }
}

/** The trace around an alert: its own sensor's channels raw and cleaned, the other stations below for comparison. */

import { parse } from "./clock.js";
import { cleaned, raw } from "./columns.js";
import { eventColumns, markColumns } from "./marks.js";
import * as server from "./server.js";
import { palette } from "./theme.js";
import { Trace } from "./trace.js";

const OTHERS = 4;
const PAD_MS = 45_000;
const LONGEST_MS = 3 * 3_600_000;

/** The span that shows it whole, with some time on both sides; an alert that lasts for hours is shown from its beginning. */
export function spanOf(alert, events, nowMs) {
  const starts = [alert, ...events].map(({ start }) => parse(start)).filter((ms) => ms !== null);
  const ends = events.map(({ start, end }) => parse(end) ?? parse(start)).filter((ms) => ms !== null);
  const start = Math.min(...starts, parse(alert.opened_at) ?? Infinity);
  const end = Math.min(Math.max(start, ...ends), start + LONGEST_MS);
  const pad = Math.max(PAD_MS, (end - start) / 2);
  return [start - pad, Math.max(start, Math.min(end + pad, nowMs))];
}

const isField = ({ unit }) => /T$/.test(unit);

/** The channels that the events name, else the first three of the field. */
function concerned(channels, events) {
  const named = new Set(events.flatMap((event) => event.channels ?? []));
  const hit = channels.filter(({ name }) => named.has(name));
  return (hit.length ? hit : channels.filter(isField).length ? channels.filter(isField) : channels).slice(0, 3);
}

/** Marks of one channel, thinned as on the live chart. Where something is missing the gateway has said so: no gap is guessed. */
function marker(series, c, msPerPx) {
  const trace = new Trace(series.channels.length, 1, 1, Infinity);
  trace.load(series.times_ms, series.values, series.flags);
  return (scale, start, end) => {
    const none = { base: 0, low: 0, high: 0 };
    const scales = series.channels.map((_, i) => (i === c ? scale : none));
    return markColumns(trace, scales, start, end, msPerPx(), palette().marks)[c];
  };
}

function ownPanels(series, shown, looks, msPerPx) {
  return shown.map((channel, k) => {
    const c = series.channels.indexOf(channel);
    const lines = [];
    if (looks.raw) lines.push({ key: `raw/${channel.name}`, label: `${channel.name} raw`, color: k, faint: looks.cleaned, ...raw(series, c) });
    if (looks.cleaned) lines.push({ key: `clean/${channel.name}`, label: `${series.station} ${channel.name}`, color: k, faint: false, ...cleaned(series, c) });
    return { title: `${series.station} ${channel.name}`, unit: channel.unit, lines, own: false, marks: marker(series, c, msPerPx) };
  });
}

/** The sensors of other stations to compare with: those that were named with the alert first. */
export function others(alert, stations, named) {
  const rank = (name) => (named.includes(name) ? 0 : 1);
  const names = stations.names().filter((name) => name !== alert.station).sort((a, b) => rank(a) - rank(b));
  return names.slice(0, OTHERS).flatMap((name) => {
    const sensor = stations.get(name).sensors?.find(({ channels }) => channels.some(isField));
    return sensor ? [{ station: name, sensor: sensor.sensor }] : [];
  });
}

/** Panels and spans for the chart of an alert. `looks`: `{raw, cleaned}`, at least one of them true. */
export async function panelsAround({ alert, events, stations, named, looks, msPerPx }, start, end, rows) {
  const sensor = alert.sensor || stations.get(alert.station)?.sensors?.[0]?.sensor;
  const compared = others(alert, stations, named);
  const [own, ...rest] = await Promise.all([
    sensor ? server.series(alert.station, sensor, start, end, rows) : null,
    ...compared.map((other) => server.series(other.station, other.sensor, start, end, rows)),
  ]);
  const shown = own ? concerned(own.channels, events) : [];
  const same = (channels) => channels.find(({ name }) => name === shown[0]?.name) ?? channels.find(isField);
  const panels = own ? ownPanels(own, shown, looks, msPerPx) : [];
  rest.forEach((series, i) => {
    const channel = same(series.channels);
    if (!channel) return;
    const name = `${series.station} ${channel.name}`;
    const line = { key: `other/${series.station}`, label: name, color: 3 + i, faint: false, ...cleaned(series, series.channels.indexOf(channel)) };
    panels.push({ title: name, unit: channel.unit, lines: [line], own: false });
  });
  const spans = eventColumns(events, start, end, msPerPx(), palette().severity);
  return { panels, spans: { start: spans.start, end: spans.end, color: spans.color } };
}

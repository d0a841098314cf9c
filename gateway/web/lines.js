/** Fetches the chosen channels and arranges them in panels: stacked or overlaid, as they are or less another one. */

import { cleaned, difference, period, raw } from "./columns.js";
import { keyOf } from "./choices.js";
import * as server from "./server.js";

const MOST_POINTS = 10_000;

const sensorOf = ({ station, sensor }) => `${station}/${sensor}`;

/**
 * Series of all sensors that the picks need, by `station/sensor`. For a difference the samples must not be thinned: the
 * full rate where it fits into one answer, else the 1-minute means.
 */
async function fetched(picks, start, end, rows, exact, rateOf) {
  const wanted = new Map(picks.map((pick) => [sensorOf(pick), pick]));
  const found = await Promise.all([...wanted].map(async ([name, { station, sensor }]) => {
    if (!exact) return [name, await server.series(station, sensor, start, end, rows)];
    const resolution = (rateOf(station, sensor) * (end - start)) / 1000 < 0.95 * MOST_POINTS ? "full" : "minute";
    return [name, await server.series(station, sensor, start, end, MOST_POINTS, resolution)];
  }));
  return new Map(found);
}

function lineOf(pick, series, asRead) {
  const c = series.channels.findIndex((channel) => channel.name === pick.channel);
  if (c < 0) return { t: [], y: [], unit: "nT" };
  return { ...(asRead ? raw(series, c) : cleaned(series, c)), unit: series.channels[c].unit };
}

/** One panel a line, or one a unit. */
function arranged(lines, overlaid) {
  if (!overlaid) return lines.map((line) => ({ title: line.label, unit: line.unit, lines: [line], own: false }));
  const units = [...new Set(lines.map(({ unit }) => unit))];
  return units.map((unit) => ({ title: "Overlaid", unit, own: true, lines: lines.filter((line) => line.unit === unit) }));
}

/** `{panels, note}` for the chart; null when nothing is chosen. */
export async function panelsOf({ picks, overlaid, raw: asRead, minus }, start, end, rows, rateOf) {
  if (picks.length === 0) return null;
  const reference = picks.find((pick) => keyOf(pick) === minus);
  const series = await fetched(picks, start, end, rows, reference !== undefined, rateOf);
  const all = picks.map((pick, i) => {
    const key = keyOf(pick);
    return { key, label: `${pick.station} ${pick.channel}`, color: i, ...lineOf(pick, series.get(sensorOf(pick)), asRead) };
  });
  if (reference === undefined) return { panels: arranged(all, overlaid), note: "" };
  const base = all.find(({ key }) => key === minus);
  const others = all.filter((line) => line !== base && line.unit === base.unit);
  const lines = others.map((line) => ({ ...line, label: `${line.label} − ${base.label}`, ...difference(line, base) }));
  const means = period(base.t) >= 59_000 ? " of 1-minute means," : "";
  const note = lines.length ? `Differences${means} on common times.` : `Choose another channel in ${base.unit} to subtract from.`;
  return { panels: arranged(lines.length ? lines : [base], overlaid), note };
}

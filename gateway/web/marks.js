/** Where the flags and the events are drawn: columns for the chart, worked out from a trace. */

import { now, parse } from "./clock.js";
import { kindWords, MARKS, MISSING, severityOf, SPIKE } from "./words.js";

const EDGE = 0.06;
const APART_PX = 9;
const REACH = 30;
const MOSTLY = 0.8;
const MARKERS = new Map(MARKS.map((mark) => [mark.name, mark.marker]));

/** Which mark a sample's flags call for: the gravest. */
const markOf = (flags) => MARKS.find((mark) => flags & mark.bit);

/**
 * The channels that a mark belongs to. Flags speak of a whole sample; a spike is marked on the axes that left the
 * line, a stuck or saturated one on the axes that repeat their value most, all of them where that cannot be told.
 */
function concerned(trace, marks, i) {
  const mark = marks[i];
  const every = mark.values.map(() => true);
  if (mark.flags & MISSING) return every;
  let hits;
  if (mark.flags & SPIKE) {
    const line = trace.near(mark.t, 10 * trace.gapMs);
    if (line === null) return every;
    const away = mark.values.map((value, c) => Math.abs((value ?? NaN) - line.values[c]) || 0);
    const most = Math.max(...away);
    hits = away.map((distance) => distance > 0.4 * most);
  } else {
    const alike = marks.slice(Math.max(0, i - REACH), i + REACH).filter((other) => other !== mark && other.flags === mark.flags);
    const repeats = mark.values.map((value, c) => alike.filter((other) => other.values[c] === value).length);
    hits = repeats.map((count) => count > 0 && count >= MOSTLY * Math.max(...repeats));
  }
  return hits.some(Boolean) ? hits : every;
}

/**
 * Columns `t, y, marker, color` for each channel. `scales`: per channel `{base, low, high}`, the last two relative to
 * the first; a mark that would lie outside stands at the edge. Marks of a kind that would overlap are thinned, on a grid
 * of times that stays where it is while the window moves. `msPerPx` tells how much time a pixel is.
 */
export function markColumns(trace, scales, startMs, endMs, msPerPx, colors) {
  const columns = scales.map(() => ({ t: [], y: [], marker: [], color: [] }));
  const last = new Map();
  const apartMs = Math.ceil(APART_PX * msPerPx);
  const { marks } = trace;
  for (let i = 0; i < marks.length; i++) {
    const { t, flags, values } = marks[i];
    const mark = markOf(flags);
    const cell = Math.floor(t / apartMs);
    if (t < startMs || t > endMs || last.get(mark.name) === cell) continue;
    last.set(mark.name, cell);
    const hits = concerned(trace, marks, i);
    scales.forEach(({ base, low, high }, c) => {
      if (!hits[c]) return;
      const edge = EDGE * (high - low);
      const value = values[c] === null || values[c] === undefined ? low : values[c] - base;
      columns[c].t.push(t);
      columns[c].y.push(Math.min(high - edge, Math.max(low + edge, value)));
      columns[c].marker.push(MARKERS.get(mark.name));
      columns[c].color.push(colors[mark.name]);
    });
  }
  return columns;
}

/**
 * Columns `start, end, color, label, at` of the events between two times; one that lasts reaches to the present.
 * A label that would run into the one before it moves along its bar, or is left out where the bar is too short.
 */
export function eventColumns(events, startMs, endMs, msPerPx, colors) {
  const columns = { start: [], end: [], color: [], label: [], at: [] };
  const present = Math.min(now(), endMs);
  let free = -Infinity;
  const sorted = [...events].sort((a, b) => parse(a.start) - parse(b.start));
  for (const event of sorted) {
    const start = parse(event.start);
    const end = Math.max(parse(event.end) ?? present, start + 2 * msPerPx);
    if (end < startMs || start > endMs) continue;
    const label = kindWords(event.kind);
    const widthMs = (6.6 * label.length + 12) * msPerPx;
    const wanted = Math.max(startMs, Math.min(start, endMs - widthMs));
    const at = Math.max(wanted, free);
    const fits = at === wanted || at + widthMs <= Math.min(end, endMs);
    columns.start.push(start);
    columns.end.push(end);
    columns.color.push(colors[severityOf(event)]);
    columns.at.push(at);
    columns.label.push(fits ? label : "");
    if (fits) free = at + widthMs;
  }
  return columns;
}

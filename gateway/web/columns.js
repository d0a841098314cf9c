/** From what the gateway answers to what is drawn: columns of times and values, cleaned or raw, and what can be said of them. */

import { CLEAN_WITHOUT, MISSING, SPIKE } from "./words.js";

/** One channel as it was read: `{t, y}`, NaN where there is no value, so that the line breaks. */
export function raw(series, c) {
  return { t: series.times_ms, y: series.values[c].map((value) => value ?? NaN) };
}

/** The same without what the flags spoil. A spike is passed over; anything longer breaks the line. */
export function cleaned(series, c) {
  const t = [];
  const y = [];
  const column = series.values[c];
  series.times_ms.forEach((time, i) => {
    const flags = series.flags[i] ?? 0;
    if (flags & SPIKE && !(flags & MISSING)) return;
    t.push(time);
    y.push(flags & CLEAN_WITHOUT ? NaN : (column[i] ?? NaN));
  });
  return { t, y };
}

/** Index of the first time at or after `ms`. */
export function from(t, ms) {
  let low = 0;
  let high = t.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle] < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Lowest, highest and middle value between two times, or null where there is none. */
export function summary({ t, y }, start, end) {
  const values = y.slice(from(t, start), from(t, end)).filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (values.length === 0) return null;
  return { low: values[0], high: values.at(-1), median: values[values.length >> 1] };
}

/** The value nearest to a time, or null where none lies within `withinMs`. */
export function nearest({ t, y }, ms, withinMs) {
  const i = from(t, ms);
  let best = null;
  for (const row of [i - 1, i]) {
    if (row < 0 || row >= t.length || Number.isNaN(y[row]) || Math.abs(t[row] - ms) > withinMs) continue;
    if (best === null || Math.abs(t[row] - ms) < Math.abs(t[best] - ms)) best = row;
  }
  return best === null ? null : { t: t[best], value: y[best] };
}

/** The usual distance of two times (ms). */
export function period(t) {
  const steps = t.slice(1).map((time, i) => time - t[i]).sort((a, b) => a - b);
  return steps.length ? steps[steps.length >> 1] : 0;
}

/**
 * `a - b` on their common time: at each time of the slower one, the other one is read off the straight line between its
 * two neighbours there. Nothing is said outside, nor across a gap of the other one.
 */
export function difference(a, b) {
  const slow = period(a.t) >= period(b.t) ? a : b;
  const fast = slow === a ? b : a;
  const sign = slow === a ? 1 : -1;
  const reach = 1.6 * period(fast.t);
  const t = [];
  const y = [];
  slow.t.forEach((time, i) => {
    const k = from(fast.t, time);
    let value = NaN;
    if (fast.t[k] === time) value = fast.y[k];
    else if (k > 0 && k < fast.t.length && fast.t[k] - fast.t[k - 1] <= reach) {
      const share = (time - fast.t[k - 1]) / (fast.t[k] - fast.t[k - 1]);
      value = fast.y[k - 1] + share * (fast.y[k] - fast.y[k - 1]);
    }
    t.push(time);
    y.push(sign * (slow.y[i] - value));
  });
  return { t, y };
}

/**
 * The samples of one sensor over one window of time, as they are drawn: in order, each time once, few enough.
 *
 * What is fetched comes thinned from the gateway; what comes live is thinned here in the same manner, to the lowest
 * and the highest value of each short bin, so that every peak is kept. A sample flagged as a spike is marked but
 * left out of the line; a missing one and a gap in time break the line.
 */

import { MISSING, OFF_SCALE, SPIKE } from "./words.js";

const MARKED = 1 | 2 | 4 | 8 | 16;

export class Trace {
  /** `width`: number of channels; `spanMs`: length of the window; `maxRows`: most rows in it; `periodMs`: of the sensor. */
  constructor(width, spanMs, maxRows, periodMs) {
    this.width = width;
    this.periodMs = periodMs;
    const binMs = (2 * spanMs) / maxRows;
    this.binMs = binMs > 2 * periodMs ? binMs : 0;
    // The lowest and the highest value of two bins may lie as far apart as both bins are long.
    this.gapMs = Math.max(3.5 * periodMs, 2.2 * this.binMs);
    this.reachMs = this.gapMs;
    this.t = [];
    this.v = Array.from({ length: width }, () => []);
    this.flags = [];
    this.marks = [];
    this.lastMs = -Infinity;
    this.spikeMs = -Infinity;
    this.latest = null;
    this.bin = null;
  }

  /** Rows already thinned by the gateway, each gap a row without a value. `values`: one array a channel. */
  load(times, values, flags) {
    for (let i = 0; i < times.length; i++) {
      if (times[i] < this.lastMs) continue;
      if (i > 0) this.reachMs = Math.max(this.reachMs, times[i] - times[i - 1]);
      this.lastMs = times[i];
      this.row(times[i], values.map((column) => column[i]), flags[i], false);
    }
  }

  /** One live sample. Says "new", "had" when it is there already, "late" when it belongs into a hole further back. */
  push(t, values, flags) {
    if (t <= this.lastMs) return this.has(t) ? "had" : "late";
    this.lastMs = t;
    if (!(flags & (MISSING | SPIKE))) this.latest = { t, values };
    if (this.binMs === 0) this.row(t, values, flags);
    else this.collect(t, values, flags);
    return "new";
  }

  /** `guess`: where no row says that something is missing, the clock does. */
  row(t, values, flags, guess = true) {
    if (flags & MARKED) this.marks.push({ t, values, flags });
    if (flags & SPIKE) {
      this.spikeMs = t;
      return;
    }
    this.line(t, values, flags, guess);
  }

  line(t, values, flags, guess = true) {
    const last = this.t.length - 1;
    if (guess && last >= 0 && t - this.t[last] > this.gapMs && !(this.flags[last] & MISSING)) {
      const middle = (this.t[last] + t) / 2;
      // Where spikes were taken out the line breaks too, but nothing is missing there: it is marked as what it is.
      if (this.spikeMs < this.t[last]) this.marks.push({ t: middle, values: this.v.map(() => null), flags: MISSING });
      this.append(middle, this.v.map(() => null), MISSING);
    }
    this.append(t, values, flags);
  }

  append(t, values, flags) {
    this.t.push(t);
    this.flags.push(flags);
    for (let c = 0; c < this.width; c++) this.v[c].push(values[c] ?? NaN);
    const { latest } = this;
    if (!(flags & MISSING) && (latest === null || t > latest.t)) this.latest = { t, values };
  }

  collect(t, values, flags) {
    const index = Math.floor(t / this.binMs);
    if (this.bin !== null && this.bin.index !== index) this.flush();
    if (flags & MARKED) this.marks.push({ t, values, flags });
    if (flags & SPIKE) {
      this.spikeMs = t;
      return;
    }
    this.bin ??= { index, start: t, end: t, flags: 0, low: Array(this.width).fill(null), high: Array(this.width).fill(null) };
    const { bin } = this;
    bin.end = t;
    bin.flags |= flags & ~MISSING;
    for (let c = 0; c < this.width; c++) {
      const value = values[c];
      if (value === null || value === undefined) continue;
      if (bin.low[c] === null || value < bin.low[c].value) bin.low[c] = { t, value };
      if (bin.high[c] === null || value > bin.high[c].value) bin.high[c] = { t, value };
    }
  }

  /** The bin that is complete becomes two rows, in the order in which its lowest and highest values came. */
  flush() {
    const { start, end, flags, low, high } = this.bin;
    this.bin = null;
    const empty = low.every((value) => value === null);
    const pick = (first) => low.map((least, c) => {
      if (least === null) return null;
      return (least.t <= high[c].t) === first ? least.value : high[c].value;
    });
    this.line(start, pick(true), empty ? flags | MISSING : flags);
    if (end > start) this.append(end, pick(false), empty ? flags | MISSING : flags);
  }

  /** Index of the first row at or after `ms`. */
  from(ms) {
    let low = 0;
    let high = this.t.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.t[middle] < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether the time lies among the rows that are there, rather than in a hole. */
  has(ms) {
    const i = this.from(ms);
    const near = (row) => row >= 0 && row < this.t.length && Math.abs(this.t[row] - ms) <= this.reachMs && !(this.flags[row] & MISSING);
    return near(i) || near(i - 1) || this.marks.some((mark) => Math.abs(mark.t - ms) < this.periodMs);
  }

  forget(beforeMs) {
    const count = this.from(beforeMs);
    if (count < 200) return;
    this.t.splice(0, count);
    this.flags.splice(0, count);
    for (const column of this.v) column.splice(0, count);
    this.marks = this.marks.filter((mark) => mark.t >= beforeMs);
  }

  /** Lowest, highest and middle value of a channel between two times, of the samples that tell the field's size; or null. */
  summary(c, startMs, endMs) {
    const values = [];
    const to = this.from(endMs);
    for (let i = this.from(startMs); i < to; i++) {
      if (!(this.flags[i] & OFF_SCALE) && !Number.isNaN(this.v[c][i])) values.push(this.v[c][i]);
    }
    if (values.length === 0) return null;
    values.sort((a, b) => a - b);
    return { low: values[0], high: values[values.length - 1], median: values[values.length >> 1] };
  }

  /** The line's values (one a channel) nearest to a time, or null where there are none within `withinMs`. */
  near(ms, withinMs = this.reachMs) {
    const i = this.from(ms);
    let best = null;
    for (const row of [i - 1, i]) {
      if (row < 0 || row >= this.t.length || this.flags[row] & MISSING) continue;
      const away = Math.abs(this.t[row] - ms);
      if (away <= withinMs && (best === null || away < Math.abs(this.t[best] - ms))) best = row;
    }
    return best === null ? null : { t: this.t[best], values: this.v.map((column) => column[best]) };
  }
}

/** What zero stands for on each channel's axis, and how far the axis reaches: so that small changes are seen. */

const ROOM = 0.58;
const TOO_LARGE = 1.6;
const MOVED = 0.2;
const REBASE_MS = 2000;

/** The least that an axis covers, so that a quiet sensor's noise does not fill it. */
const leastSpan = (unit) => (unit === "nT" ? 2 : 0.2);

const isField = (unit) => /T$/.test(unit);

/** A round number near `value`, fine enough for a trace that covers `span`. */
function rounded(value, span) {
  const step = span > 10 ? 1 : 0.1;
  return Number((Math.round(value / step) * step).toFixed(1));
}

export class Axes {
  /** `columns`: the channels of the trace that are shown; `units`: theirs, in the same order. */
  constructor(columns, units) {
    this.columns = columns;
    this.units = units;
    this.bases = null;
    this.scales = columns.map(() => null);
    this.rebasedMs = 0;
  }

  /**
   * Zero is the median of what is in view, of channels of the field; it stays until the median has moved away by a
   * fifth of the trace's span.
   */
  rebase(trace, startMs, endMs) {
    const first = this.bases === null;
    if (!first && Date.now() - this.rebasedMs < REBASE_MS) return;
    this.rebasedMs = Date.now();
    this.bases = this.columns.map((c, k) => {
      const old = this.bases?.[k] ?? 0;
      const found = isField(this.units[k]) ? trace.summary(c, startMs, endMs) : null;
      if (found === null) return old;
      const span = Math.max(leastSpan(this.units[k]), found.high - found.low);
      return !first && Math.abs(found.median - old) < MOVED * span ? old : rounded(found.median, span);
    });
  }

  /** Zero at the median whatever it was before: for a trace that was fetched anew. */
  forget() {
    this.bases = null;
  }

  /** Fits the ends to what is in view: at once when an axis is too short, only when it is much too long otherwise. */
  fit(trace, startMs, endMs) {
    this.scales = this.columns.map((c, k) => {
      const found = trace.summary(c, startMs, endMs);
      const base = this.bases[k];
      const old = this.scales[k];
      if (found === null) return old ? { ...old, base } : { base, low: -1, high: 1 };
      const low = found.low - base;
      const high = found.high - base;
      const half = ROOM * Math.max(leastSpan(this.units[k]), high - low);
      const fits = old && old.base === base && old.low <= low && old.high >= high && old.high - old.low < 2 * TOO_LARGE * half;
      return fits ? old : { base, low: (low + high) / 2 - half, high: (low + high) / 2 + half };
    });
    return this.scales;
  }

  /** The scale of each channel of the trace, shown or not. */
  ofTrace(width) {
    const none = { base: 0, low: 0, high: 0 };
    return Array.from({ length: width }, (_, c) => this.scales[this.columns.indexOf(c)] ?? none);
  }
}

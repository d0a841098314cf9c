/** A chart over a span of time that the person moves and zooms: what is in view is fetched, scaled, drawn, and read off. */

import { nearest, summary } from "./columns.js";
import { now } from "./clock.js";
import { Gestures } from "./gestures.js";
import { Panels } from "./panels.js";
import { onThemeChange, palette } from "./theme.js";
import { figure } from "./words.js";

const SETTLE_MS = 250;
const FEWEST_ROWS = 600;
const MOST_ROWS = 3000;
const LEAST_NT = 1;
const ROOM = 0.06;
const NO_MARKS = { t: [], y: [], marker: [], color: [] };
const NO_SPANS = { start: [], end: [], color: [] };

/** `faint`: what is there to compare with. */
const look = ({ faint, color }, colors) =>
  (faint ? { color: colors.soft, width: 1, alpha: 0.55 } : { color: colors.traces[color % colors.traces.length] });

export class Plot {
  /**
   * `load(start, end, rows)`: resolves with panels `{title, unit, lines: [{key, label, color, faint, t, y}], marks(scale)}`
   * and spans, or null when nothing is chosen; `onRange(start, end)`; `onValues(ms, rows)`; `onNote(text)`.
   */
  constructor(box, { load, onRange, onValues, onNote }) {
    this.box = box;
    this.load = load;
    this.tell = { onRange, onValues, onNote };
    this.range = [now() - 600_000, now()];
    this.panels = new Panels(box);
    this.shape = null;
    this.shown = [];
    this.turn = 0;
    this.pointMs = null;
    box.classList.add("plot");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    this.gestures = new Gestures(box, {
      frame: () => this.panels.frame(),
      range: () => this.range,
      onRange: (start, end) => this.moved(start, end),
      onPoint: (ms) => this.point(ms),
    });
    onThemeChange(() => this.draw());
  }

  /** Another span, as chosen elsewhere; fetched at once. */
  async set(start, end) {
    this.range = [start, end];
    await this.fetch();
  }

  moved(start, end) {
    this.range = [start, end];
    this.draw();
    this.tell.onRange(start, end);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), SETTLE_MS);
  }

  /** Gets what is in view, and half as much on both sides; an answer overtaken by a later question is dropped. */
  async fetch() {
    const turn = ++this.turn;
    const [start, end] = this.range;
    const pad = (end - start) / 2;
    const rows = Math.min(MOST_ROWS, Math.max(FEWEST_ROWS, 4 * this.box.clientWidth));
    this.box.setAttribute("aria-busy", "true");
    try {
      const found = await this.load(start - pad, end + pad, rows);
      if (turn !== this.turn) return;
      this.found = found;
      this.lay();
    } catch (error) {
      console.info(`magwatch: ${error.message}`);
      if (turn === this.turn) this.tell.onNote(error.status ? error.message : "The gateway does not answer.");
    } finally {
      if (turn === this.turn) this.box.removeAttribute("aria-busy");
    }
  }

  /** New plots where the lines are not those that are up. */
  lay() {
    if (!this.found || this.box.clientWidth === 0) {
      this.shape = null;
      this.panels.drop();
      this.tell.onValues(null, []);
      return;
    }
    const shape = JSON.stringify(this.found.panels.map(({ title, lines }) => [title, lines.map(({ key, color, faint }) => [key, color, faint])]));
    if (shape !== this.shape) {
      this.shape = shape;
      this.panels.build(this.found.panels);
    }
    this.draw();
  }

  draw() {
    if (!this.panels.up || !this.found) return;
    this.found.panels.forEach((panel, p) => this.drawPanel(panel, p));
    this.read();
  }

  /** Each panel's lines share one zero; `own`: each has its own, so that lines of different places can be compared. */
  drawPanel(panel, p) {
    const [start, end] = this.range;
    const colors = palette();
    const summaries = panel.lines.map((line) => summary(line, start, end));
    const clear = summaries.filter((found, i) => found && !panel.lines[i].faint);
    const seen = clear.length ? clear : summaries.filter(Boolean);
    const isField = /T$/.test(panel.unit);
    const common = isField && seen.length ? Math.round(seen[0].median) : 0;
    const bases = summaries.map((found) => (panel.own && isField ? (found?.median ?? 0) : common));
    const lines = panel.lines.map((line, i) => ({ t: line.t, y: line.y, base: bases[i], ...look(line, colors) }));
    const ofLine = (found) => (panel.own && isField ? found.median : common);
    let low = Math.min(...seen.map((found) => found.low - ofLine(found)));
    let high = Math.max(...seen.map((found) => found.high - ofLine(found)));
    if (!seen.length) [low, high] = [-1, 1];
    const extra = Math.max(0, (isField ? LEAST_NT : LEAST_NT / 10) - (high - low)) / 2 + ROOM * (high - low);
    const scale = { low: low - extra, high: high + extra };
    const zero = panel.own ? `${panel.unit}, each from its own median` : isField ? `0 = ${figure(common, 0)} ${panel.unit}` : panel.unit;
    const marks = panel.marks ? panel.marks({ base: common, ...scale }, start, end) : NO_MARKS;
    const picture = { start, end, ...scale, lines, marks, spans: this.found.spans ?? NO_SPANS, pointMs: this.pointMs, colors };
    this.panels.show(p, picture, seen.length ? zero : "no samples");
  }

  point(ms) {
    this.pointMs = ms;
    this.panels.point(ms);
    this.read();
  }

  /** The values under the finger, else the newest in view. */
  read() {
    if (!this.found) return;
    const [start, end] = this.range;
    const at = this.pointMs ?? end;
    const within = this.pointMs === null ? end - start : Math.max(1000, (end - start) / 60);
    const rows = this.found.panels.flatMap((panel) => panel.lines.filter((line) => !line.faint).map((line) => ({
      key: line.key, label: line.label, color: line.color, unit: panel.unit, found: nearest(line, at, within),
    })));
    this.tell.onValues(this.pointMs, rows);
  }

  stop() {
    clearTimeout(this.timer);
    this.turn++;
    this.panels.drop();
    this.shape = null;
  }
}

/**
 * Fingers, mouse, wheel and keys on a time axis: drag moves it, two fingers or the wheel zoom it, hold and drag reads
 * values. A finger that moves up or down scrolls the page.
 */

const SHORTEST_MS = 1000;
const LONGEST_MS = 10 * 366 * 86_400_000;
const HOLD_MS = 300;
const STILL_PX = 8;
const STEP = 0.2;

/** `[start, end]` zoomed by `factor` (below 1: nearer) about a time that stays where it is. */
export function zoomed([start, end], factor, aboutMs) {
  const span = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (end - start) * factor));
  const share = (aboutMs - start) / (end - start);
  return [aboutMs - share * span, aboutMs + (1 - share) * span];
}

export class Gestures {
  /**
   * `frame()`: `{left, width}` of the axis on the screen; `range()`: its `[start, end]`; `onRange(start, end)`; `onPoint(ms | null)`.
   * `wheelScrolls`: the wheel scrolls the page, and zooms with Ctrl.
   */
  constructor(box, { frame, range, onRange, onPoint, wheelScrolls = false }) {
    Object.assign(this, { box, frame, range, onRange, onPoint, wheelScrolls });
    this.down = new Map();
    this.reading = false;
    this.pointMs = null;
    const on = (name, handler, options) => box.addEventListener(name, handler, options);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => this.lift(event));
    on("pointerleave", (event) => event.pointerType === "mouse" && this.down.size === 0 && this.point(null));
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("keydown", (event) => this.key(event));
    on("contextmenu", (event) => this.reading && event.preventDefault());
  }

  at(clientX) {
    const { left, width } = this.frame();
    const [start, end] = this.range();
    return start + ((clientX - left) / width) * (end - start);
  }

  point(ms) {
    this.pointMs = ms;
    this.onPoint(ms);
  }

  press(event) {
    if (event.button > 0) return;
    if (event.pointerType === "mouse") this.box.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, event.clientX);
    this.reading = false;
    clearTimeout(this.hold);
    this.from = { range: this.range(), xs: [...this.down.values()] };
    if (this.down.size === 1) {
      this.point(this.at(event.clientX));
      if (event.pointerType !== "mouse") this.hold = setTimeout(() => (this.reading = true), HOLD_MS);
    }
  }

  move(event) {
    if (!this.down.has(event.pointerId)) {
      if (event.pointerType === "mouse") this.point(this.at(event.clientX));
      return;
    }
    this.down.set(event.pointerId, event.clientX);
    const xs = [...this.down.values()];
    if (xs.length === 1 && this.reading) return this.point(this.at(xs[0]));
    const moved = Math.abs(xs[0] - this.from.xs[0]) > STILL_PX || xs.length > 1;
    if (!moved && !this.moving) return;
    clearTimeout(this.hold);
    this.moving = true;
    const { left, width } = this.frame();
    const [start, end] = this.from.range;
    const perPx = (end - start) / width;
    if (xs.length === 1) {
      const by = (this.from.xs[0] - xs[0]) * perPx;
      this.onRange(start + by, end + by);
      return;
    }
    const middle = (pair) => (pair[0] + pair[1]) / 2;
    const apart = (pair) => Math.max(20, Math.abs(pair[0] - pair[1]));
    const about = start + (middle(this.from.xs) - left) * perPx;
    const [from, to] = zoomed([start, end], apart(this.from.xs) / apart(xs), about);
    const shift = ((middle(this.from.xs) - middle(xs)) / width) * (to - from);
    this.onRange(from + shift, to + shift);
  }

  lift(event) {
    if (!this.down.delete(event.pointerId)) return;
    clearTimeout(this.hold);
    if (event.type === "pointercancel") this.point(null); // the finger scrolls the page
    this.from = { range: this.range(), xs: [...this.down.values()] };
    if (this.down.size === 0) {
      this.moving = false;
      this.reading = false;
    }
  }

  wheel(event) {
    if (this.wheelScrolls && !event.ctrlKey) return;
    event.preventDefault();
    const [start, end] = this.range();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = ((event.deltaX || event.deltaY) / this.frame().width) * (end - start);
      this.onRange(start + by, end + by);
      return;
    }
    const notch = Math.max(-240, Math.min(240, event.deltaY));
    this.onRange(...zoomed([start, end], Math.exp(notch * 0.002), this.at(event.clientX)));
  }

  /** Arrows move, with Shift they read; plus and minus zoom. */
  key(event) {
    const [start, end] = this.range();
    const span = end - start;
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way && event.shiftKey) this.point(Math.min(end, Math.max(start, (this.pointMs ?? (start + end) / 2) + (way * span) / 100)));
    else if (way) this.onRange(start + way * STEP * span, end + way * STEP * span);
    else if (event.key === "+" || event.key === "=") this.onRange(...zoomed([start, end], 0.5, (start + end) / 2));
    else if (event.key === "-") this.onRange(...zoomed([start, end], 2, (start + end) / 2));
    else if (event.key === "Escape") this.point(null);
    else return;
    event.preventDefault();
  }
}

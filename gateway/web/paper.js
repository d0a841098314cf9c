/**
 * One plot of values over time: grid, shaded spans, lines, marks, a pointer, and the figures of its axes.
 *
 * What is drawn is a picture: `{start, end, low, high, lines: [{t, y, base, color, width, alpha}], spans: {start, end,
 * color}, marks: {t, y, marker, color}, pointMs, last, colors}`. A line is drawn as `y - base`; NaN breaks it. `last`: the
 * times are written below.
 */

import { Canvas } from "./canvas.js";
import { from } from "./columns.js";
import { timeTicks, valueTicks } from "./ticks.js";

export const LEFT_PX = 46;
export const RIGHT_PX = 10;
const EDGE_PX = 4;
const TIMES_PX = 24;
const TICK_PX = 105;
const MARK_PX = 4;
const SPAN_ALPHA = 0.13;

const SHAPES = {
  x: [[-1, -1], [1, 1], null, [1, -1], [-1, 1]],
  diamond: [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0], [0, -1.25]],
  square: [[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]],
  triangle: [[0, -1.2], [1.15, 0.9], [-1.15, 0.9], [0, -1.2]],
};

export class Paper {
  constructor(holder) {
    this.picture = null;
    this.canvas = new Canvas(holder, (context, width, height) => this.picture && this.draw(context, width, height));
  }

  show(picture) {
    this.picture = picture;
    this.canvas.node.picture = picture; // what a console or a test asks a canvas for
    this.canvas.redraw();
  }

  drop() {
    this.canvas.drop();
  }

  draw(context, width, height) {
    const { start, end, low, high, last } = this.picture;
    const frame = { left: LEFT_PX, top: EDGE_PX, right: width - RIGHT_PX, bottom: height - (last ? TIMES_PX : EDGE_PX) };
    this.x = (ms) => frame.left + ((ms - start) / (end - start)) * (frame.right - frame.left);
    this.y = (value) => frame.bottom - ((value - low) / (high - low)) * (frame.bottom - frame.top);
    this.grid(context, frame, width);
    context.save();
    context.beginPath();
    context.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
    context.clip();
    this.spans(context, frame);
    context.lineJoin = context.lineCap = "round";
    for (const line of this.picture.lines) this.line(context, line);
    this.marks(context);
    this.pointer(context, frame);
    context.restore();
  }

  grid(context, { left, top, right, bottom }, width) {
    const { start, end, low, high, last, colors } = this.picture;
    context.font = `11.5px ${colors.font}`;
    context.fillStyle = colors.soft;
    context.strokeStyle = colors.grid;
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, top + 0.5, right - left - 1, bottom - top - 1);
    context.beginPath();
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { at, text } of valueTicks(low, high, Math.max(4, (bottom - top) / 60))) {
      const y = Math.round(this.y(at)) + 0.5;
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.fillText(text, left - 5, Math.min(bottom - 5, Math.max(top + 5, y)), left - 6);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const { at, text } of timeTicks(start, end, Math.max(3, Math.floor((right - left) / TICK_PX)))) {
      const x = Math.round(this.x(at)) + 0.5;
      context.moveTo(x, top);
      context.lineTo(x, bottom);
      const half = last ? context.measureText(text).width / 2 : 0;
      if (last) context.fillText(text, Math.min(width - half - 1, x), bottom + 7);
    }
    context.stroke();
  }

  spans(context, { top, bottom }) {
    const { start, end, color } = this.picture.spans;
    for (let i = 0; i < start.length; i++) {
      const left = this.x(start[i]);
      context.fillStyle = color[i];
      context.globalAlpha = SPAN_ALPHA;
      context.fillRect(left, top, this.x(end[i]) - left, bottom - top);
    }
    context.globalAlpha = 1;
  }

  line(context, { t, y, base = 0, color, width = 1.5, alpha = 1 }) {
    const first = Math.max(0, from(t, this.picture.start) - 1);
    const behind = Math.min(t.length, from(t, this.picture.end) + 1);
    let pen = false;
    context.beginPath();
    for (let i = first; i < behind; i++) {
      const down = !Number.isNaN(y[i]);
      const [px, py] = [this.x(t[i]), this.y(y[i] - base)];
      if (down && !pen) context.moveTo(px, py);
      if (down) context.lineTo(px, py);
      pen = down;
    }
    context.strokeStyle = color;
    context.lineWidth = width;
    context.globalAlpha = alpha;
    context.stroke();
    context.globalAlpha = 1;
  }

  marks(context) {
    const { t, y, marker, color } = this.picture.marks;
    context.lineWidth = 1.5;
    t.forEach((ms, i) => {
      const [px, py] = [this.x(ms), this.y(y[i])];
      let pen = false;
      context.beginPath();
      for (const corner of SHAPES[marker[i]]) {
        if (corner) context[pen ? "lineTo" : "moveTo"](px + MARK_PX * corner[0], py + MARK_PX * corner[1]);
        pen = corner !== null;
      }
      context.strokeStyle = context.fillStyle = color[i];
      if (marker[i] !== "x") context.fill();
      context.stroke();
    });
  }

  pointer(context, { top, bottom }) {
    const { pointMs, colors } = this.picture;
    if (pointMs === null) return;
    const x = Math.round(this.x(pointMs)) + 0.5;
    context.strokeStyle = colors.soft;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, bottom);
    context.stroke();
  }
}

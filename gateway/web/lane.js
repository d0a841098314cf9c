/** The narrow lane of events above the strips: a bar for each, and its name. */

import { Canvas } from "./canvas.js";
import { LEFT_PX, RIGHT_PX } from "./paper.js";

const BAR_PX = 4;

export class Lane {
  constructor(holder) {
    this.picture = null;
    this.canvas = new Canvas(holder, (context, width, height) => this.picture && this.draw(context, width, height));
  }

  /** `{start, end, spans: {start, end, color, label, at}, colors}` */
  show(picture) {
    this.picture = picture;
    this.canvas.redraw();
  }

  drop() {
    this.canvas.drop();
  }

  draw(context, width, height) {
    const { start, end, spans, colors } = this.picture;
    const x = (ms) => LEFT_PX + ((ms - start) / (end - start)) * (width - LEFT_PX - RIGHT_PX);
    context.save();
    context.beginPath();
    context.rect(LEFT_PX, 0, width - LEFT_PX - RIGHT_PX, height);
    context.clip();
    context.font = `12px ${colors.font}`;
    context.textBaseline = "middle";
    spans.start.forEach((from, i) => {
      context.fillStyle = spans.color[i];
      context.fillRect(x(from), height - BAR_PX, Math.max(1, x(spans.end[i]) - x(from)), BAR_PX);
      context.fillText(spans.label[i], x(spans.at[i]), (height - BAR_PX) / 2);
    });
    context.restore();
  }
}

/** A canvas that fills its holder, sharp on any screen, and is drawn anew when the holder changes its size. */

import { el } from "./dom.js";

export class Canvas {
  /** `draw(context, width, height)`: draws all of it, in CSS pixels, whenever there is something to draw on. */
  constructor(holder, draw) {
    this.node = el("canvas", { "aria-hidden": "true" });
    this.draw = draw;
    this.context = this.node.getContext("2d");
    this.observer = new ResizeObserver(() => this.redraw());
    holder.append(this.node);
    this.observer.observe(holder);
  }

  redraw() {
    const { clientWidth: width, clientHeight: height } = this.node.parentElement ?? this.node;
    if (width === 0 || height === 0) return;
    const [across, down] = [width, height].map((px) => Math.round(px * devicePixelRatio));
    if (this.node.width !== across || this.node.height !== down) Object.assign(this.node, { width: across, height: down });
    this.context.setTransform(across / width, 0, 0, down / height, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.draw(this.context, width, height);
  }

  drop() {
    this.observer.disconnect();
    this.node.remove();
  }
}

/** Plots under each other on one time axis, each with any number of lines. It is given panels and what zero stands for. */

import { el, say } from "./dom.js";
import { LEFT_PX, Paper, RIGHT_PX } from "./paper.js";

export class Panels {
  constructor(box) {
    this.box = box;
    this.panels = [];
  }

  /** Starts anew. `panels`: `{title, lines: [{color}]}`. */
  build(panels) {
    this.drop();
    this.panels = panels.map((panel, p) => {
      const base = el("span", { class: "panel-base" });
      const head = el("p", { class: "panel-head" }, el("span", { class: "panel-title", "data-color": panel.lines[0]?.color % 8 }, panel.title), base);
      const holder = el("div", { class: "panel-plot" });
      const look = ["panel", p === panels.length - 1 && "last", panels.length === 1 && "only"].filter(Boolean).join(" ");
      this.box.append(el("div", { class: look }, head, holder));
      return { paper: new Paper(holder), base };
    });
  }

  get up() {
    return this.panels.length > 0;
  }

  drop() {
    for (const { paper } of this.panels) paper.drop();
    this.panels = [];
    this.box.replaceChildren();
  }

  /** `picture`: of `Paper`; `base`: what zero stands for, in words. */
  show(p, picture, base) {
    say(this.panels[p].base, base);
    this.panels[p].paper.show({ ...picture, last: p === this.panels.length - 1 });
  }

  /** The pointer alone has moved. */
  point(ms) {
    for (const { paper } of this.panels) if (paper.picture) paper.show({ ...paper.picture, pointMs: ms });
  }

  /** Where the times lie on the screen: `{left, width}` in CSS pixels. */
  frame() {
    const { left, width } = this.box.getBoundingClientRect();
    return { left: left + LEFT_PX, width: Math.max(50, width - LEFT_PX - RIGHT_PX) };
  }
}

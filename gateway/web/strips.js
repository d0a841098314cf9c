/** The strip chart: one plot a channel under a narrow lane of events, all on one time axis. It is given channels and pictures. */

import { el, say } from "./dom.js";
import { Gestures } from "./gestures.js";
import { Lane } from "./lane.js";
import { LEFT_PX, Paper, RIGHT_PX } from "./paper.js";
import { figure } from "./words.js";

export class Strips {
  /** `range()`: the times at the ends; `onBrowse(start, end)`: the person has moved them; `onPoint(ms | null)`: reads here. */
  constructor(box, { range, onBrowse, onPoint }) {
    this.box = box;
    this.lane = null;
    this.papers = [];
    new Gestures(box, { frame: () => this.frame(), range, onRange: onBrowse, onPoint, wheelScrolls: true });
  }

  /** Starts anew with these channels (`name`, `unit`, `color` index). */
  build(channels) {
    this.drop();
    this.channels = channels;
    this.heads = channels.map((channel) => this.makeHead(channel));
    const holders = channels.map(() => el("div", { class: "strip-plot" }));
    const above = el("div", { class: "strip-plot strip-lane" });
    this.box.replaceChildren(above, ...channels.map((_, c) => el("div", { class: "strip" }, this.heads[c].node, holders[c])));
    this.lane = new Lane(above);
    this.papers = holders.map((holder) => new Paper(holder));
  }

  drop() {
    this.lane?.drop();
    for (const paper of this.papers) paper.drop();
    this.papers = [];
  }

  makeHead(channel) {
    const value = el("span", { class: "strip-value" });
    const base = el("span", { class: "strip-base" });
    const name = el("span", { class: "strip-name" }, channel.name);
    const node = el("div", { class: "strip-head", "data-color": channel.color }, name, value, el("span", { class: "strip-unit" }, channel.unit), base);
    return { node, value, base };
  }

  /** `time`: `{start, end, pointMs, spans, colors}`; `plots`: one a channel, `{t, y, base, low, high, marks}`. */
  show(time, plots) {
    this.lane.show(time);
    plots.forEach(({ t, y, base, ...plot }, c) => this.papers[c].show({
      ...time, ...plot, lines: [{ t, y, base, color: time.colors.traces[this.channels[c].color] }], last: c === plots.length - 1,
    }));
  }

  /** The numbers above each plot: its value now, or where the pointer is, and what zero stands for. */
  setNumbers(values, bases) {
    this.channels.forEach((channel, c) => {
      const { value, base } = this.heads[c];
      say(value, figure(values?.[c], channel.decimals));
      say(base, bases[c] === 0 ? "" : `0 = ${figure(bases[c], bases[c] % 1 ? 1 : 0)} ${channel.unit}`);
    });
  }

  /** Where the times lie on the screen: `{left, width}` in CSS pixels. */
  frame() {
    const { left, width } = this.box.getBoundingClientRect();
    return { left: left + LEFT_PX, width: Math.max(100, width - LEFT_PX - RIGHT_PX) };
  }
}

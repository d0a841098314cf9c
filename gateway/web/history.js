/** The recent events, newest first; pressing one shows it on the chart. */

import { day, isoOf, length, now, parse, timeOfDay } from "./clock.js";
import { arrange, byId, el, icon, say } from "./dom.js";
import { kindWords, severityOf, severityWord, size } from "./words.js";

const SHOWN = 8;
const KEPT = 200;

export class History {
  /** `onShow(event)`: the person wants to see it on the chart; `onChange()`: the events are not what they were. */
  constructor(onShow, onChange) {
    this.onShow = onShow;
    this.onChange = onChange;
    this.byId = new Map();
    this.known = false;
    this.all = false;
    byId("history-more").addEventListener("click", () => {
      this.all = !this.all;
      this.render();
    });
  }

  replace(events) {
    this.byId = new Map(events.map((event) => [event.id, event]));
    this.known = true;
    this.render();
    this.onChange();
  }

  /** One telling of an event; the highest revision is the truth. */
  put(event) {
    const had = this.byId.get(event.id);
    if (had && had.revision > event.revision) return;
    this.byId.set(event.id, event);
    this.render();
    this.onChange();
  }

  newestFirst() {
    return [...this.byId.values()].sort((a, b) => parse(b.start) - parse(a.start)).slice(0, KEPT);
  }

  of(station, sensor) {
    return [...this.byId.values()].filter((event) => event.station === station && event.sensor === sensor);
  }

  render() {
    const events = this.newestFirst();
    const shown = this.all ? events : events.slice(0, SHOWN);
    arrange(byId("history"), shown, (event) => event.id, (event) => this.make(event.id), (node, event) => this.update(node, event));
    byId("history-none").hidden = events.length > 0 || !this.known;
    const more = byId("history-more");
    more.hidden = events.length <= SHOWN;
    say(more, this.all ? "Show fewer" : `Show all ${events.length}`);
  }

  make(id) {
    const row = el("button", { type: "button", class: "event" },
      el("time", { class: "event-time" }),
      el("span", { class: "event-icon" }),
      el("span", { class: "event-kind" }),
      el("span", { class: "event-place" }),
      el("span", { class: "event-length" }),
      el("span", { class: "event-size" }));
    row.addEventListener("click", () => this.onShow(this.byId.get(id)));
    return el("li", {}, row);
  }

  update(node, event) {
    const row = node.firstElementChild;
    const part = (name) => row.querySelector(`.event-${name}`);
    const severity = severityOf(event);
    if (row.dataset.severity !== severity) {
      row.dataset.severity = severity;
      part("icon").replaceChildren(icon(severity), el("span", { class: "sr-only" }, severityWord(severity)));
    }
    const start = parse(event.start);
    const end = parse(event.end);
    const today = isoOf(start).slice(0, 10) === isoOf(now()).slice(0, 10);
    say(part("time"), today ? timeOfDay(start) : `${day(start)} ${timeOfDay(start).slice(0, 5)}`);
    part("time").dateTime = event.start;
    say(part("kind"), kindWords(event.kind));
    say(part("place"), `${event.station} / ${event.sensor}`);
    say(part("size"), size(event.amplitude_nt) ?? "");
    say(part("length"), end === null ? "ongoing" : end > start ? length(end - start) : "");
  }
}

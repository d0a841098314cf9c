/** One alert in full: what was seen, its trace, the other stations, who did what; and what can be done about it. */

import { ago, now, parse, stamp } from "./clock.js";
import { arrange, byId, el, icon, say } from "./dom.js";
import { worded } from "./evidence.js";
import { Plot } from "./plot.js";
import * as server from "./server.js";
import { panelsAround, spanOf } from "./trace_around.js";
import { figure, MARKS, severityOf, severityWord, stateWord } from "./words.js";

const LOOKS = [["Both", { raw: true, cleaned: true }], ["Cleaned", { raw: false, cleaned: true }], ["Raw", { raw: true, cleaned: false }]];

const HOW = "Touch to read, drag to move, pinch to zoom.";

/** UTC, and the time on the wall where the person is, where that is another one. */
function bothTimes(ms) {
  const utc = `${stamp(ms)} UTC`;
  const on = new Date(ms);
  if (on.getTimezoneOffset() === 0) return utc;
  return `${utc} (${on.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" })})`;
}

export class Story {
  /** `alerts`: those that are known; `desk`: what can be done. */
  constructor(stations, alerts, desk) {
    Object.assign(this, { stations, alerts, desk });
    this.id = null;
    this.looks = LOOKS[0][1];
    this.build();
  }

  build() {
    const box = byId("view-alert");
    this.parts = Object.fromEntries(["icon", "title", "since", "meta", "words", "figures", "steps", "note"].map((name) => [name, el(name === "title" ? "h2" : "div", { class: `story-${name}` })]));
    const { parts } = this;
    this.row = this.desk.row(() => this.alert, { whole: true });
    const looks = el("div", { class: "segments", role: "group", "aria-label": "Trace" }, ...LOOKS.map(([words, look]) => {
      const button = el("button", { type: "button", "aria-pressed": String(look === this.looks) }, words);
      button.addEventListener("click", () => {
        this.looks = look;
        for (const other of looks.children) other.setAttribute("aria-pressed", String(other === button));
        this.plot.fetch();
      });
      return button;
    }));
    this.explore = el("a", { class: "text-link" }, "Open in Explore");
    const plotBox = el("div", { "aria-label": "Trace around the alert. Arrow keys move it, plus and minus zoom, Shift with arrow keys reads values." });
    const marks = MARKS.map(({ name, word }) => el("span", { class: `legend-entry mark-${name}` }, icon(name), word)).reverse();
    this.values = el("ul", { class: "values", "aria-label": "Values" });
    this.steps = el("ol", { class: "steps" });
    box.append(
      el("a", { class: "back", href: "#now" }, "‹ Now"),
      el("article", { class: "story" },
        el("header", { class: "story-head" }, parts.icon, parts.title, parts.since, parts.meta), this.row, parts.note),
      el("section", { class: "sheet-part", "aria-labelledby": "story-seen" }, el("h2", { id: "story-seen" }, "What was seen"), parts.words,
        el("details", { class: "figures-fold" }, el("summary", {}, "Figures"), parts.figures)),
      el("section", { class: "chart", "aria-labelledby": "story-trace" },
        el("div", { class: "chart-head" }, el("h2", { id: "story-trace" }, "Trace"), looks), this.values, plotBox,
        el("div", { class: "legend" }, ...marks, el("span", { class: "legend-end" }, this.explore))),
      el("section", { class: "sheet-part", "aria-labelledby": "story-done" }, el("h2", { id: "story-done" }, "Who did what"), this.steps));
    this.plot = new Plot(plotBox, {
      load: (start, end, rows) => this.load(start, end, rows),
      onRange: () => {},
      onValues: (ms, rows) => this.read(ms, rows),
      onNote: (text) => say(parts.note, text),
    });
  }

  async show({ id }) {
    if (id !== this.id) {
      this.id = id;
      this.detail = null;
      this.alert = this.alerts.byId.get(id) ?? null;
      this.plot.stop();
    }
    if (this.alert) this.render();
    await this.fetch();
  }

  hide() {
    this.plot.stop();
  }

  /** The gateway has been asked for everything anew. */
  refreshed() {
    this.fetch();
  }

  get events() {
    return this.detail?.events ?? [];
  }

  /** The alert with its history and its events; without the gateway, what this device knows of it. */
  async fetch() {
    const { id } = this;
    try {
      const detail = await server.alert(id);
      if (id !== this.id) return;
      this.detail = detail;
      this.alert = detail.alert;
      say(this.parts.note, "");
    } catch (error) {
      if (id !== this.id) return;
      this.alert ??= this.alerts.byId.get(id) ?? null;
      say(this.parts.note, error.status ? error.message : "Not all is shown: the gateway does not answer.");
    }
    if (!this.alert) return;
    this.render();
    this.around = spanOf(this.alert, this.events, now());
    const channels = this.events.flatMap((event) => event.channels ?? []).slice(0, 1);
    const query = new URLSearchParams({ from: new Date(this.around[0]).toISOString(), to: new Date(this.around[1]).toISOString() });
    for (const name of this.stations.names()) {
      const sensor = this.stations.get(name).sensors?.[0];
      const channel = sensor?.channels.find((known) => known.name === channels[0]) ?? sensor?.channels[0];
      if (channel) query.append("s", `${name}/${sensor.sensor}/${channel.name}`);
    }
    this.explore.href = `#explore?${query}`;
    await this.plot.set(...this.around);
  }

  /** News of the alert that is up. */
  put(alert) {
    if (alert.id !== this.id || !this.alert) return;
    this.alert = alert;
    this.render();
    if (!byId("view-alert").hidden) this.fetch();
  }

  load(start, end, rows) {
    const msPerPx = () => (this.plot.range[1] - this.plot.range[0]) / this.plot.panels.frame().width;
    const named = [...(this.detail?.agreeing ?? []), ...(this.detail?.not_agreeing ?? [])];
    return panelsAround({ alert: this.alert, events: this.events, stations: this.stations, named, looks: this.looks, msPerPx }, start, end, rows);
  }

  render() {
    const { alert, parts } = this;
    const severity = severityOf(alert);
    const story = parts.icon.closest(".story");
    story.dataset.severity = severity;
    story.dataset.state = alert.state;
    parts.icon.replaceChildren(icon(alert.state === "resolved" ? "done" : severity));
    say(parts.title, alert.title);
    const start = parse(alert.start);
    say(parts.since, `Since ${bothTimes(start)}, ${ago(start)}`);
    say(parts.meta, [severityWord(severity), stateWord(alert.state), alert.reason].filter(Boolean).join(" · "));
    say(parts.words, alert.text);
    this.figures(this.worst());
    this.chronicle();
    this.desk.update(this.row, alert);
  }

  /** The event that says most. */
  worst() {
    return [...this.events].sort((a, b) => Math.abs(b.amplitude_nt ?? 0) - Math.abs(a.amplitude_nt ?? 0))[0] ?? null;
  }

  figures(event) {
    const told = Object.entries(event?.evidence ?? {}).map(([key, value]) => worded(key, value));
    this.parts.figures.replaceChildren(el("dl", { class: "figures" }, ...told.flatMap(({ term, text }) => [el("dt", {}, term), el("dd", {}, text)])));
    this.parts.figures.closest("details").hidden = told.length === 0;
  }

  chronicle() {
    arrange(this.steps, this.detail?.history ?? [], ({ at, state, why }) => `${at}/${state}/${why}`,
      () => el("li", { class: "step" }, el("time"), el("span", { class: "step-state" }), el("span", { class: "step-why" })),
      (node, { at, state, who, why }) => {
        say(node.children[0], `${stamp(parse(at))}`);
        node.children[0].dateTime = at;
        say(node.children[1], stateWord(state));
        say(node.children[2], [who, why].filter(Boolean).join(": "));
      });
  }

  read(ms, rows) {
    this.values.setAttribute("aria-live", ms === null ? "off" : "polite");
    arrange(this.values, ms === null ? [{ key: "time" }] : [{ key: "time" }, ...rows], ({ key }) => key,
      () => el("li", { class: "value" }, el("span", { class: "value-label" }), el("span", { class: "value-figure" })),
      (node, row) => {
        node.dataset.color = row.color ?? "";
        say(node.firstElementChild, row.key === "time" ? (ms === null ? HOW : `${stamp(ms)} UTC`) : row.label);
        say(node.lastElementChild, row.key === "time" ? "" : row.found ? `${figure(row.found.value, 2)} ${row.unit}` : "–");
      });
  }
}

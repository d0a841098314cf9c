/** The history: alerts or events of any time, filtered, page after page. */

import { day, isoOf, length, now, parse, timeOfDay } from "./clock.js";
import { arrange, byId, el, icon, say } from "./dom.js";
import { rewrite } from "./router.js";
import * as server from "./server.js";
import { kindWords, KIND_NAMES, severityOf, severityWord, size, stateWord } from "./words.js";

const ENOUGH = 25;
const MOST_PAGES = 20;
const VERDICTS = { useful: "useful", false: "false alarm" };
const FIELDS = ["list", "station", "kind", "severity", "from", "to"];

const beganAt = (row) => parse(row.start) ?? parse(row.opened_at);

function select(id, label, options) {
  const node = el("select", { id, name: id.split("-")[1] }, ...options.map(([value, words]) => el("option", { value }, words)));
  return el("div", { class: "filter" }, el("label", { for: id }, label), node);
}

const dateField = (id, label) => el("div", { class: "filter" }, el("label", { for: id }, label), el("input", { id, name: id.split("-")[1], type: "date" }));

export class Archive {
  constructor(stations) {
    this.stations = stations;
    this.rows = [];
    this.turn = 0;
    const form = byId("archive-filters");
    form.append(
      select("archive-list", "Show", [["alerts", "Alerts"], ["events", "Events"]]),
      select("archive-station", "Station", [["", "All"]]),
      select("archive-kind", "Kind", [["", "All"], ...KIND_NAMES.map((kind) => [kind, kindWords(kind)])]),
      select("archive-severity", "Severity", [["", "All"], ...["info", "warning", "critical"].map((name) => [name, severityWord(name)])]),
      dateField("archive-from", "From"), dateField("archive-to", "To"));
    form.addEventListener("change", () => this.asked());
    form.addEventListener("submit", (event) => event.preventDefault());
    byId("archive-more").addEventListener("click", () => this.more());
  }

  show({ query }) {
    const list = byId("archive-station");
    const names = ["", ...this.stations.names()];
    if (list.options.length !== names.length) list.replaceChildren(...names.map((name) => el("option", { value: name }, name || "All")));
    if (query.size) for (const name of FIELDS) byId(`archive-${name}`).value = query.get(name) ?? (name === "list" ? "alerts" : "");
    this.begin();
  }

  asked() {
    const chosen = FIELDS.map((name) => [name, byId(`archive-${name}`).value]).filter(([, value]) => value);
    rewrite(`#history?${new URLSearchParams(chosen)}`);
    this.begin();
  }

  begin() {
    const value = (name) => byId(`archive-${name}`).value || null;
    const to = parse(value("to"));
    this.filters = { list: value("list"), station: value("station"), kind: value("kind"), severity: value("severity"), start: parse(value("from")), end: to === null ? null : to + 86_400_000 };
    this.rows = [];
    this.after = null;
    this.render(false);
    this.more();
  }

  /** Asks page after page until there is enough to read, or no more: events are chosen here, but for station and time. */
  async more() {
    const turn = ++this.turn;
    const { list, station, kind, severity, start, end } = this.filters;
    const time = { start: start === null ? null : isoOf(start), end: end === null ? null : isoOf(end) };
    const filters = list === "alerts" ? { state: "all", station, kind, severity, ...time } : { station, ...time };
    const wanted = (row) => list === "alerts" || ((!kind || row.kind === kind) && (!severity || row.severity === severity));
    const until = this.rows.length + ENOUGH;
    say(byId("archive-note"), "Looking");
    try {
      for (let pages = 0; pages < MOST_PAGES && this.rows.length < until; pages++) {
        const { rows, next } = await server.page(list, filters, this.after);
        if (turn !== this.turn) return;
        const known = new Set(this.rows.map(({ id }) => id));
        this.rows.push(...rows.filter((row) => wanted(row) && !known.has(row.id)));
        this.after = next;
        if (next === null) break;
      }
      say(byId("archive-note"), this.rows.length ? "" : "Nothing of this kind is on record.");
    } catch (error) {
      if (turn === this.turn) say(byId("archive-note"), error.status ? error.message : "The gateway does not answer. Try again.");
    }
    if (turn === this.turn) this.render(this.after !== null);
  }

  render(more) {
    arrange(byId("archive"), this.rows, ({ id }) => id, (row) => this.make(row), () => {});
    byId("archive-more").hidden = !more;
  }

  make(row) {
    const severity = severityOf(row);
    const start = beganAt(row);
    const end = parse(row.end) ?? parse(row.resolved_at);
    const thisYear = isoOf(start).slice(0, 4) === isoOf(now()).slice(0, 4);
    const link = el("a", { class: "event", href: this.address(row, start, end), "data-severity": severity },
      el("time", { class: "event-time", datetime: isoOf(start) }, `${day(start)}${thisYear ? "" : ` ${isoOf(start).slice(0, 4)}`} ${timeOfDay(start).slice(0, 5)}`),
      el("span", { class: "event-icon" }, icon(severity), el("span", { class: "sr-only" }, severityWord(severity))),
      el("span", { class: "event-kind" }, row.title ?? kindWords(row.kind)),
      el("span", { class: "event-place" }, row.state ? [stateWord(row.state), VERDICTS[row.verdict]].filter(Boolean).join(" · ") : `${row.station} / ${row.sensor}`),
      el("span", { class: "event-length" }, end === null ? "ongoing" : end > start ? length(end - start) : ""),
      el("span", { class: "event-size" }, row.title ? "" : (size(row.amplitude_nt) ?? "")));
    return el("li", {}, link);
  }

  /** An alert has a view of its own; an event is looked at in the magnetogram. */
  address(row, start, end) {
    if (row.state) return `#alert/${encodeURIComponent(row.id)}`;
    const pad = Math.max(60_000, ((end ?? start) - start) / 2);
    const channels = row.channels?.length ? row.channels : (this.stations.get(row.station)?.sensors?.find(({ sensor }) => sensor === row.sensor)?.channels ?? []).slice(0, 3).map(({ name }) => name);
    const query = new URLSearchParams(channels.map((name) => ["s", `${row.station}/${row.sensor}/${name}`]));
    query.set("from", isoOf(start - pad));
    query.set("to", isoOf((end ?? start) + pad));
    return `#explore?${query}`;
  }
}

/** The magnetogram to explore at will: any stations and channels, any span of time. */

import { date, isoOf, length, now, stamp } from "./clock.js";
import { keyOf, MOST_LINES, read, usual, write } from "./choices.js";
import { arrange, byId, el, say } from "./dom.js";
import { ExploreBar } from "./explore_bar.js";
import { zoomed } from "./gestures.js";
import { panelsOf } from "./lines.js";
import { Plot } from "./plot.js";
import { rewrite } from "./router.js";
import { figure } from "./words.js";

const FOLLOW_MS = 2000;

export class Explore {
  constructor(stations) {
    this.stations = stations;
    this.state = null;
    this.plot = new Plot(byId("explore-plot"), {
      load: (start, end, rows) => this.load(start, end, rows),
      onRange: (start, end) => this.change({ start, end, follow: false }, false),
      onValues: (ms, rows) => this.values(ms, rows),
      onNote: (text) => say(byId("explore-note"), text),
    });
    byId("explore-plot").setAttribute("aria-label", "Magnetogram. Arrow keys move it, plus and minus zoom, Shift with arrow keys reads values.");
    this.bar = new ExploreBar(byId("explore-bar"), {
      span: (ms) => this.change({ start: now() - ms, end: now(), follow: true }),
      overlaid: (overlaid) => this.change({ overlaid }),
      raw: (raw) => this.change({ raw }),
      minus: (minus) => this.change({ minus }),
      dates: (start, end) => this.change({ start, end, follow: false }),
      step: (way) => this.step(way),
      zoom: (factor) => this.zoom(factor),
    });
  }

  show({ query }) {
    const asked = read(query);
    const known = this.state !== null && query.size === 0;
    if (!known) {
      this.state = asked;
      this.chosen = asked.picks.length > 0;
    }
    if (!this.chosen) this.state.picks = usual(this.stations);
    this.change({});
    clearInterval(this.timer);
    this.timer = setInterval(() => this.followed(), FOLLOW_MS);
  }

  hide() {
    clearInterval(this.timer);
    this.plot.stop();
  }

  /** Stations have come or changed: until a person has chosen, the first ones are shown. */
  stationsChanged() {
    if (this.state === null || byId("view-explore").hidden) return;
    const picks = this.chosen ? this.state.picks : usual(this.stations);
    if (picks.map(keyOf).join() !== this.state.picks.map(keyOf).join()) this.change({ picks });
    else this.choices();
  }

  followed() {
    if (!this.state.follow || document.hidden || this.plot.pointMs !== null) return;
    const span = this.state.end - this.state.start;
    const since = now() - this.state.end;
    if (since < span / 300) return;
    this.change({ start: now() - span, end: now() });
  }

  step(way) {
    const span = this.state.end - this.state.start;
    this.change({ start: this.state.start + (way * span) / 2, end: this.state.end + (way * span) / 2, follow: false });
  }

  zoom(factor) {
    const { start, end, follow } = this.state;
    const [from, to] = zoomed([start, end], factor, follow ? end : (start + end) / 2);
    this.change({ start: from, end: to });
  }

  change(part, fetch = true) {
    Object.assign(this.state, part);
    rewrite(write(this.state));
    this.bar.show(this.state);
    this.where();
    if ("picks" in part || Object.keys(part).length === 0) this.choices();
    if (fetch) this.plot.set(this.state.start, this.state.end);
  }

  async load(start, end, rows) {
    const found = await panelsOf(this.state, start, end, rows, (station, sensor) => this.rate(station, sensor));
    say(byId("explore-note"), found === null ? "Choose stations and channels." : found.note);
    return found;
  }

  rate(station, sensor) {
    return this.stations.get(station)?.sensors?.find((known) => known.sensor === sensor)?.rate_hz ?? 1;
  }

  where() {
    const { start, end } = this.state;
    const sameDay = isoOf(start).slice(0, 10) === isoOf(end).slice(0, 10);
    const day = sameDay && isoOf(now()).slice(0, 10) !== isoOf(start).slice(0, 10) ? "" : `${date(end)}, `;
    say(byId("explore-where"), `${sameDay ? day : ""}${stamp(start)} to ${stamp(end)} UTC · ${length(end - start)}`);
  }

  toggle(pick) {
    this.chosen = true;
    const key = keyOf(pick);
    const without = this.state.picks.filter((other) => keyOf(other) !== key);
    const picks = without.length < this.state.picks.length ? without : [...without, pick].slice(-MOST_LINES);
    this.change({ picks, minus: picks.some((other) => keyOf(other) === this.state.minus) ? this.state.minus : "" });
  }

  /** A row of channels for each sensor; those that are up are pressed, in the colour of their line. */
  choices() {
    const { picks } = this.state;
    say(byId("explore-picked"), picks.length ? `Stations and channels: ${picks.length} shown` : "Stations and channels");
    const sensors = this.stations.names().flatMap((name) => (this.stations.get(name).sensors ?? []).map((sensor) => ({ station: name, ...sensor })));
    arrange(byId("explore-channels"), sensors, (sensor) => `${sensor.station}/${sensor.sensor}`,
      (sensor) => el("fieldset", { class: "pick-row" }, el("legend", {}, `${sensor.station} / ${sensor.sensor}`), el("div", { class: "chips" })),
      (node, sensor) => arrange(node.lastElementChild, sensor.channels, (channel) => channel.name, (channel) => this.chip(sensor, channel), (chip, channel) => {
        const at = picks.findIndex((pick) => keyOf(pick) === `${sensor.station}/${sensor.sensor}/${channel.name}`);
        chip.setAttribute("aria-pressed", String(at >= 0));
        chip.dataset.color = at >= 0 ? at % 8 : "";
      }));
    this.bar.subtrahends(picks.map(keyOf), this.state.minus);
  }

  chip({ station, sensor }, channel) {
    const chip = el("button", { type: "button", class: "chip" }, channel.name);
    chip.addEventListener("click", () => this.toggle({ station, sensor, channel: channel.name }));
    return chip;
  }

  /** The values at the finger above the chart, where the finger does not hide them. */
  values(ms, rows) {
    const list = byId("explore-values");
    list.setAttribute("aria-live", ms === null ? "off" : "polite");
    arrange(list, [{ key: "time" }, ...rows], ({ key }) => key,
      ({ key }) => (key === "time" ? el("li", { class: "values-time" }) : el("li", { class: "value" }, el("span", { class: "value-label" }), el("span", { class: "value-figure" }))),
      (node, row) => {
        if (row.key === "time") return say(node, ms === null ? "Newest" : `${stamp(ms)}${isoOf(ms).slice(19, 21)} UTC`);
        node.dataset.color = row.color % 8;
        say(node.firstElementChild, row.label);
        say(node.lastElementChild, row.found ? `${figure(row.found.value, 2)} ${row.unit}` : "–");
      });
  }
}

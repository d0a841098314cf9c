/** The stations, as cards: how they are, when they were last heard, what they measure. */

import { ago, now, parse, stamp } from "./clock.js";
import { arrange, byId, el, icon, say } from "./dom.js";
import { blocksToCome, rate, stationStateWord } from "./words.js";

export class Stations {
  /** `onChoose(station)`: a card was pressed. */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.byName = new Map();
    this.lastMs = new Map();
    this.chosen = null;
  }

  replace(stations) {
    this.byName = new Map(stations.map((station) => [station.station, station]));
    for (const station of stations) this.remember(station);
    this.render();
  }

  put(station) {
    this.byName.set(station.station, { ...this.byName.get(station.station), ...station });
    this.remember(station);
    this.render();
  }

  remember(station) {
    for (const sensor of station.sensors ?? []) this.heard(station.station, sensor.sensor, parse(sensor.last_time));
  }

  /** A sample of this time (ms) has come. */
  heard(station, sensor, ms) {
    const key = `${station}/${sensor}`;
    if (ms !== null && ms > (this.lastMs.get(key) ?? -Infinity)) this.lastMs.set(key, ms);
  }

  has(station, sensor) {
    return this.byName.get(station)?.sensors?.some((known) => known.sensor === sensor) ?? false;
  }

  get(station) {
    return this.byName.get(station) ?? null;
  }

  first() {
    return this.names()[0] ?? null;
  }

  names() {
    return [...this.byName.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  }

  choose(station) {
    this.chosen = station;
    this.render();
    this.reveal();
  }

  /** On a phone the cards are a row that is swiped; the chosen one is brought into its middle. */
  reveal() {
    const list = byId("stations");
    const item = [...list.children].find((node) => node.dataset.key === this.chosen);
    if (item) list.scrollLeft = item.offsetLeft - (list.clientWidth - item.clientWidth) / 2;
  }

  render() {
    const names = this.names();
    const before = byId("stations").childElementCount;
    byId("stations-none").hidden = names.length > 0;
    say(byId("stations-count"), this.count());
    arrange(byId("stations"), names, (name) => name, (name) => this.make(name), (node, name) => this.update(node, name));
    if (names.length !== before) this.reveal();
  }

  /** `4 · 1 silent` */
  count() {
    const states = [...this.byName.values()].map((station) => station.state);
    const few = ["late", "silent"].map((state) => [states.filter((other) => other === state).length, state]);
    const parts = few.filter(([number]) => number).map(([number, state]) => `${number} ${state}`);
    return states.length ? [states.length, ...parts].join(" · ") : "";
  }

  make(name) {
    const card = el("button", { type: "button", class: "station" },
      el("span", { class: "station-icon" }),
      el("span", { class: "station-name" }, name),
      el("span", { class: "station-state" }),
      el("span", { class: "station-measures" }),
      el("span", { class: "station-age" }));
    card.addEventListener("click", () => this.onChoose(name));
    return el("li", {}, card);
  }

  update(node, name) {
    const station = this.byName.get(name);
    const card = node.firstElementChild;
    if (card.dataset.state !== station.state) {
      card.dataset.state = station.state;
      card.querySelector(".station-icon").replaceChildren(icon(station.state));
    }
    say(card.querySelector(".station-state"), stationStateWord(station.state));
    say(card.querySelector(".station-measures"), this.measures(station));
    card.setAttribute("aria-pressed", String(name === this.chosen));
    this.tell(card, station);
  }

  /** `fluxgate · 10 Hz · x y z temperature`, or how many sensors there are. */
  measures(station) {
    const sensors = station.sensors ?? [];
    if (sensors.length > 1) return `${sensors.length} sensors`;
    if (sensors.length === 0) return "No sensor yet";
    const [sensor] = sensors;
    const channels = (sensor.channels ?? []).map((channel) => channel.name).join(" ");
    return [sensor.sensor, rate(sensor.rate_hz), channels].filter(Boolean).join(" · ");
  }

  tell(card, station) {
    const times = (station.sensors ?? []).map((sensor) => this.lastMs.get(`${station.station}/${sensor.sensor}`));
    const last = Math.max(...times.filter((ms) => ms !== undefined), -Infinity);
    let age = "Never heard";
    if (last > -Infinity) age = now() - last > 86_400_000 ? `Last value ${stamp(last)}` : `Last value ${ago(last)}`;
    const waiting = station.backlog_blocks ? ` · ${blocksToCome(station.backlog_blocks)}` : "";
    say(card.querySelector(".station-age"), age + waiting);
  }

  tick() {
    for (const node of byId("stations").children) this.tell(node.firstElementChild, this.byName.get(node.dataset.key));
  }
}

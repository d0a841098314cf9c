/** The stations in full: lag, clock, noise, supply, backlog, versions, and what became of every sample. */

import { ago, length, now, parse } from "./clock.js";
import { arrange, byId, el, icon, say } from "./dom.js";
import * as server from "./server.js";
import { vitals } from "./vitals.js";
import { blocksToCome, figure, rate, stationStateWord, where } from "./words.js";

const LOOK_MS = 20_000;
const WINDOW_MS = 120_000;
const MOST_POINTS = 10_000;
const MOST_SENSORS = 24;
const LATE_S = 10;

const count = (number) => (number === null || number === undefined ? "–" : figure(number, 0));

/** A station counts what it has accepted once a minute; more may be stored by then, and nothing can be said of the rest. */
const accepted = (account) => count(account.accepted) + (account.in_flight < 0 ? " when last told" : "");
const onTheWay = (account) => (account?.in_flight >= 0 ? [["on the way", count(account.in_flight)]] : []);

export class Health {
  constructor(stations) {
    this.stations = stations;
    this.accounts = new Map();
    this.vitals = new Map();
  }

  show() {
    this.render();
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.fetch(), LOOK_MS);
    this.fetch();
  }

  hide() {
    clearInterval(this.timer);
  }

  async fetch() {
    try {
      const accounts = await server.accounting();
      this.accounts = new Map(accounts.map((account) => [`${account.station}/${account.sensor}`, account]));
      this.render();
      await this.look();
    } catch (error) {
      console.info(`magwatch: ${error.message}`);
    }
  }

  /** The newest minutes of each sensor, one after the other: reading is work for the gateway. */
  async look() {
    const sensors = this.stations.names().flatMap((station) => (this.stations.get(station).sensors ?? []).map((sensor) => ({ station, ...sensor })));
    for (const { station, sensor } of sensors.slice(0, MOST_SENSORS)) {
      if (byId("view-stations").hidden) return;
      const series = await server.series(station, sensor, now() - WINDOW_MS, now(), MOST_POINTS, "full");
      this.vitals.set(`${station}/${sensor}`, vitals(series));
      this.render();
    }
  }

  render() {
    if (byId("view-stations").hidden) return;
    arrange(byId("health"), this.stations.names(), (name) => name, (name) => this.make(name), (node, name) => this.update(node, this.stations.get(name)));
  }

  make(name) {
    return el("li", { class: "health station" },
      el("span", { class: "station-icon" }), el("h2", { class: "station-name" }, name), el("span", { class: "station-state" }),
      el("p", { class: "station-measures" }), el("div", { class: "health-sensors" }));
  }

  update(node, station) {
    if (node.dataset.state !== station.state) {
      node.dataset.state = station.state;
      node.querySelector(".station-icon").replaceChildren(icon(station.state));
    }
    say(node.querySelector(".station-state"), stationStateWord(station.state));
    const waiting = station.backlog_blocks ? blocksToCome(station.backlog_blocks) : "no backlog";
    say(node.querySelector(".station-measures"), [station.version && `magwatch ${station.version}`, where(station.position), waiting].filter(Boolean).join(" · "));
    arrange(node.querySelector(".health-sensors"), station.sensors ?? [], ({ sensor }) => sensor,
      ({ sensor }) => el("section", { class: "health-sensor" }, el("h3", {}, sensor), el("dl", { class: "facts" }), el("dl", { class: "accounts" })),
      (part, sensor) => this.sensor(part, station, sensor));
  }

  sensor(part, station, sensor) {
    const key = `${station.station}/${sensor.sensor}`;
    const lastMs = this.stations.lastMs.get(key) ?? parse(sensor.last_time);
    const lag = lastMs === undefined || lastMs === null ? null : (now() - lastMs) / 1000;
    const facts = [
      ["Last value", lastMs ? ago(lastMs) : "never"],
      ["Lag", lag === null ? "–" : length(lag * 1000), lag !== null && lag > LATE_S],
      ["Rate", rate(sensor.rate_hz) ?? "–"],
      ...(sensor.calibration ? [["Calibration", sensor.calibration]] : []),
      ...(this.vitals.get(key) ?? []),
    ];
    this.fill(part.children[1], facts);
    const account = this.accounts.get(key);
    const ended = [["stored", false], ["quarantined", true], ["evicted", true]];
    const samples = ended.map(([name, lost]) => [name, count(account?.[name]), lost && account?.[name] > 0]);
    this.fill(part.children[2], account ? [["accepted", accepted(account)], ...samples, ...onTheWay(account)] : []);
  }

  fill(list, facts) {
    arrange(list, facts, ([term]) => term, ([term]) => el("div", {}, el("dt", {}, term), el("dd")), (node, [, text, worry]) => {
      say(node.lastElementChild, text);
      node.classList.toggle("worry", Boolean(worry));
    });
  }
}

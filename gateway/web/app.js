/** The page: fetches what is, listens to what comes, and hands each piece to the part that shows it. */

import { Alerts } from "./alerts.js";
import { Archive } from "./archive.js";
import { Chart } from "./chart.js";
import { date, length, now, parse, timeOfDay } from "./clock.js";
import { Desk, toaster } from "./desk.js";
import { byId, say } from "./dom.js";
import { Explore } from "./explore.js";
import { Health } from "./health.js";
import { History } from "./history.js";
import { install } from "./installed.js";
import { keepState, keptState } from "./kept.js";
import { Live } from "./live.js";
import { Router } from "./router.js";
import * as server from "./server.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { Silences } from "./silence.js";
import { Stations } from "./stations.js";
import { Story } from "./story.js";

const RECHECK_MS = 20_000;
const FRESH_MS = 20_000;
const KEEP_MS = 15_000;

const tell = toaster();
const session = new Session();
const desk = new Desk(session, {
  onChanged: (alert) => changed(alert),
  onSilenced: () => silences.refresh().catch((error) => tell(error.message)),
  tell,
});
const silences = new Silences(session, tell);
const stations = new Stations((name) => show(name));
const alerts = new Alerts(desk);
const history = new History((event) => showSpan(event), () => {});
const chart = new Chart(stations, (station, sensor) => history.of(station, sensor));
const story = new Story(stations, alerts, desk);
const explore = new Explore(stations);
const health = new Health(stations);
const router = new Router({
  alert: story, explore, stations: health, history: new Archive(stations), settings: new Settings(session),
  now: { show: () => chart.station && chart.fetch() },
});
const live = new Live("/api/v1/live", {
  hello: refresh,
  resync: refresh,
  samples(message) {
    const last = message.times_ms.at(-1);
    if (last !== undefined) stations.heard(message.station, message.sensor, last);
    if (!stations.has(message.station, message.sensor)) recheck();
    chart.samples(message);
  },
  event: (event) => history.put(event),
  alert(alert) {
    alerts.put(alert);
    story.put(alert);
  },
  station(station) {
    stations.put(station);
    explore.stationsChanged();
    if (!chart.station && !refreshing) showFirst();
  },
}, connection);

/** An alert is not what it was, by somebody's hand here; the gateway tells the other devices. */
function changed(alert) {
  alerts.put(alert);
  story.put(alert);
}

let refreshing = null;

/** Everything anew, once at a time; when it fails the stream is counted as broken, and its next `hello` tries again. */
async function refresh() {
  if (refreshing) return refreshing;
  refreshing = fetchAll();
  try {
    await refreshing;
    live.settled();
  } catch (error) {
    console.info(`magwatch: ${error.message}`);
    live.again();
  } finally {
    refreshing = null;
  }
}

async function fetchAll() {
  const asked = [server.stations(), server.alerts(), server.events(), session.look()];
  const [allStations, allAlerts, allEvents] = await Promise.all(asked);
  stations.replace(allStations);
  alerts.replace(allAlerts);
  history.replace(allEvents);
  stale = null;
  remember();
  silences.refresh().catch((error) => console.info(`magwatch: ${error.message}`));
  explore.stationsChanged();
  router.refreshed();
  if (!chart.station || !stations.get(chart.station)) await showFirst();
  else if (!(await chart.fetch())) throw new Error("the series did not come");
}

/** The station of the newest alert, else the first one. */
async function showFirst() {
  const alert = alerts.newest();
  const name = alert && stations.get(alert.station) ? alert.station : stations.first();
  if (name) await show(name, alert?.station === name ? alert.sensor : null);
}

async function show(name, sensor = null, span = null) {
  const sensors = stations.get(name)?.sensors ?? [];
  const chosen = sensors.find((known) => known.sensor === sensor) ?? sensors[0];
  stations.choose(name);
  if (chosen) await chart.choose(name, chosen.sensor, span);
}

/** Brings an event into view: live when it is in the window of now, else the time around it. */
async function showSpan(thing) {
  const start = parse(thing.start) ?? parse(thing.opened_at);
  const end = parse(thing.end) ?? start;
  const pad = Math.max(30_000, (end - start) / 3);
  const recent = now() - start < chart.minutes * 60_000 * 0.8;
  await show(thing.station, thing.sensor, recent ? null : { start: start - pad, end: Math.min(end + pad, now()) });
  const { top } = byId("chart").getBoundingClientRect();
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top < 0 || top > innerHeight / 2) byId("chart").scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}

let rechecked = 0;

/** The stations as the gateway sees them, now and then: rates, states and sensors that no message told of. */
async function recheck() {
  if (document.hidden || refreshing || Date.now() - rechecked < 2000) return;
  rechecked = Date.now();
  try {
    stations.replace(await server.stations());
    explore.stationsChanged();
    if (!chart.station) await showFirst();
  } catch (error) {
    console.info(`magwatch: ${error.message}`);
  }
}

let lostMs = null;
let stale = null;

function connection(connected) {
  lostMs = connected ? null : (lostMs ?? Date.now());
  tick();
}

function connectionWords() {
  if (live.connected) return ["live", "Live"];
  if (stale !== null) return ["lost", `Last known state, ${length(coarse(Date.now() - stale))} old`];
  if (live.heardMs === null) return ["connecting", "Connecting"];
  const lost = Date.now() - (lostMs ?? live.heardMs);
  if (lost < FRESH_MS) return ["reconnecting", "Reconnecting"];
  return ["lost", `Last known state, ${length(coarse(lost))} old`];
}

/** Steps of ten seconds, then minutes: what is read aloud must not change all the time. */
const coarse = (ms) => (ms < 95_000 ? Math.floor(ms / 10_000) * 10_000 : ms);

function tick() {
  const [state, words] = connectionWords();
  byId("connection").dataset.state = state;
  if (state === "lost" && !chart.trace) chart.controls.unanswered();
  document.documentElement.dataset.connection = state;
  say(byId("connection-text"), words);
  say(byId("clock"), timeOfDay(now()));
  byId("clock").dateTime = new Date(now()).toISOString();
  say(byId("date"), date(now()));
  stations.tick();
  alerts.tick();
}

/** Keeps what is known, unless that is itself only remembered, or nobody is there any more. */
function remember() {
  if (session.person === null || stale !== null || live.heardMs === null) return;
  keepState(live.heardMs, [...stations.byName.values()], [...alerts.byId.values()], [...history.byId.values()]);
}

/** What this device last knew, with its age, until the gateway has answered. */
function restore() {
  const state = keptState();
  if (state === null) return;
  stale = state.at;
  stations.replace(state.stations);
  alerts.replace(state.alerts, false);
  history.replace(state.events);
}

setInterval(tick, 1000);
setInterval(recheck, RECHECK_MS);
setInterval(remember, KEEP_MS);
window.addEventListener("pagehide", remember);
restore();
tick();
router.follow();
install();
live.start();

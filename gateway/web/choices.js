/** What the magnetogram is told to show: a value that is written into the address, so that a view can be passed on. */

import { isoOf, now, parse } from "./clock.js";

export const MOST_LINES = 12;
const USUAL_MS = 600_000;

export const keyOf = ({ station, sensor, channel }) => `${station}/${sensor}/${channel}`;

/** `station/sensor/channel`; only the channel's name may itself have a slash. */
function pickOf(key) {
  const [station, sensor, ...channel] = key.split("/");
  return channel.length ? { station, sensor, channel: channel.join("/") } : null;
}

/** From the address's query; without a time it follows the present. */
export function read(query) {
  const from = parse(query.get("from"));
  const to = parse(query.get("to"));
  const fixed = from !== null && to !== null && from < to;
  const span = Math.max(1000, Number(query.get("span")) * 1000 || USUAL_MS);
  return {
    picks: query.getAll("s").map(pickOf).filter(Boolean).slice(0, MOST_LINES),
    follow: !fixed,
    start: fixed ? from : now() - span,
    end: fixed ? to : now(),
    overlaid: query.get("mode") === "overlaid",
    raw: query.get("raw") === "1",
    minus: query.get("minus") ?? "",
  };
}

export function write({ picks, follow, start, end, overlaid, raw, minus }) {
  const query = new URLSearchParams(picks.map((pick) => ["s", keyOf(pick)]));
  if (follow) query.set("span", String(Math.round((end - start) / 1000)));
  else {
    query.set("from", isoOf(start));
    query.set("to", isoOf(end));
  }
  if (overlaid) query.set("mode", "overlaid");
  if (raw) query.set("raw", "1");
  if (minus) query.set("minus", minus);
  return `#explore?${query}`;
}

/** The first channel of the field of each of the first stations: something to begin with. */
export function usual(stations) {
  const picks = [];
  for (const name of stations.names()) {
    const sensor = stations.get(name).sensors?.find(({ channels }) => channels.some(({ unit }) => /T$/.test(unit)));
    const channel = sensor?.channels.find(({ unit }) => /T$/.test(unit));
    if (channel) picks.push({ station: name, sensor: sensor.sensor, channel: channel.name });
  }
  return picks.slice(0, 3);
}

/** The page's plain words for what the wire says in one, and how it writes numbers. */

/** As the phone says it (gateway/alerts/wording.py); an alert brings its own title. */
const KINDS = {
  commencement: "Sudden commencement",
  disturbance: "Magnetic disturbance",
  step: "The field jumped and stayed",
  transient: "Something magnetic passed",
  unusual: "Unusual signal",
  stuck: "Sensor stuck",
  saturated: "Sensor at the end of its range",
  noisy: "Sensor noisy",
  gap: "Data missing",
  clock_step: "The clock jumped",
  silent: "Station silent",
  evicted: "Samples given up",
  outage: "Gateway out of order",
};

/** Every kind that there is, as the wire names it. */
export const KIND_NAMES = Object.keys(KINDS);

const STATES = {
  pending: "Pending", firing: "Firing", acknowledged: "Acknowledged", resolved: "Resolved", regional: "Became regional", joined: "Joined the region's alert",
  raised: "Raised", flapping: "Comes and goes", held: "Held back", told: "Told", shown: "Brought up to date", judged: "Judged",
};
const SEVERITIES = { info: "Info", warning: "Warning", critical: "Critical" };
const STATION_STATES = { streaming: "Streaming", late: "Late", silent: "Silent" };

/** The bits of a sample's flags that the trace is marked with, the gravest first. */
export const MARKS = [
  { bit: 1, name: "missing", word: "Missing", marker: "x" },
  { bit: 8 | 16, name: "saturated", word: "Saturated", marker: "diamond" },
  { bit: 4, name: "stuck", word: "Stuck", marker: "square" },
  { bit: 2, name: "spike", word: "Spike", marker: "triangle" },
];

export const MISSING = 1;
export const SPIKE = 2;
export const CLOCK_UNSYNCED = 32;
/** Samples with one of these have no cleaned value: missing, spike, stuck, saturated, out of range, disturbed. */
export const CLEAN_WITHOUT = 1 | 2 | 4 | 8 | 16 | 64;
/** Samples with one of these do not say how large the field is: spike, saturated, out of range. */
export const OFF_SCALE = 2 | 8 | 16;

const worded = (table) => (name) => table[name] ?? String(name).replaceAll("_", " ");
export const kindWords = worded(KINDS);
export const stateWord = worded(STATES);
export const severityWord = worded(SEVERITIES);
export const stationStateWord = worded(STATION_STATES);

/** A severity that the page has a shape and a colour for. */
export const severityOf = (thing) => (thing.severity in SEVERITIES ? thing.severity : "info");

/** `20 113.4`: narrow spaces between thousands, a true minus; figures stay in their columns. */
export function figure(value, decimals = 1) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const [whole, rest] = Math.abs(value).toFixed(decimals).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const text = rest === undefined ? grouped : `${grouped}.${rest}`;
  return value < 0 && Number(text.replaceAll("\u202f", "")) !== 0 ? `\u2212${text}` : text;
}

/** The size of an event: three digits are enough to judge it. */
export function size(nt) {
  if (nt === null || nt === undefined) return null;
  const large = Math.abs(nt);
  return `${figure(nt, large >= 100 ? 0 : large >= 1 ? 1 : 2)}\u00a0nT`;
}

/** `47.08° N, 15.45° E` */
export function where(position) {
  if (!position) return null;
  const { latitude } = position;
  const longitude = position.longitude > 180 ? position.longitude - 360 : position.longitude;
  const half = (degrees, plus, minus) => `${Math.abs(degrees).toFixed(2)}° ${degrees < 0 ? minus : plus}`;
  return `${half(latitude, "N", "S")}, ${half(longitude, "E", "W")}`;
}

/** `10 Hz`, `0.1 Hz`, `1/min` */
export function rate(hz) {
  if (!hz) return null;
  if (hz < 0.05) return `${figure(hz * 60, hz * 60 < 0.95 ? 2 : 0)}/min`;
  return `${Number(hz.toPrecision(3))} Hz`;
}

/** What a station has still to send of the past. */
export const blocksToCome = (number) => `${figure(number, 0)} ${number === 1 ? "block" : "blocks"} to come`;

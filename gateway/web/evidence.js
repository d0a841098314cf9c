/** The evidence of an event in words: what was measured, against what, and what it looks like. */

import { length, parse } from "./clock.js";
import { figure, size } from "./words.js";

const LOOKS = {
  commencement: "The field rose within minutes and stayed: how a storm from the sun begins. The whole region should see it.",
  disturbance: "The field moves more than on a quiet day: a magnetic storm or a part of one.",
  step: "The level changed at once and stayed: the sensor was moved, or iron beside it, or the instrument switched.",
  transient: "Something magnetic passed and left: a vehicle, a gate, a tool.",
  unusual: "None of the known shapes, and rarer than this sensor's own past allows.",
  stuck: "The value repeats itself for longer than noise allows: the sensor or its converter hangs.",
  saturated: "The value is at the end of the instrument's range.",
  noisy: "The sensor is noisier than it was: a cable, damp, or a machine nearby.",
  gap: "No samples came for a while, and then they did again.",
  clock_step: "The time stamps jumped: the station's clock was set.",
  silent: "Nothing has come for longer than this station's own rate allows.",
  evicted: "The station's disk was full, and the oldest samples were given up.",
};

const UNITS = [
  ["_nT_per_min", "nT/min"], ["_nT", "nT"], ["_mV", "mV"], ["_V", "V"], ["_degC", "°C"], ["_C", "°C"], ["_hz", "Hz"], ["_s", "s"],
  ["_sigma", "times the usual deviation"], ["_decades", "decades"], ["_count", ""], ["_share", ""],
];

const STEMS = [
  [/^change_(.+)$/, (name) => `Change of ${name}`],
  [/^deviation_(.+)$/, (name) => `Deviation of ${name}`],
  [/^noise_before_(.+)$/, (name) => `Noise of ${name} before`],
  [/^noise_now_(.+)$/, (name) => `Noise of ${name} now`],
  [/^noise_after_(.+)$/, (name) => `Noise of ${name} after`],
  [/^noise_most_(.+)$/, (name) => `Noise of ${name} at its most`],
  [/^threshold$/, () => "Told from"],
  [/^threshold_(.+)$/, (name) => `Told from a ${name} of`],
  [/^limit_(.+)$/, (name) => `Limit of the ${name}`],
  [/^limit$/, () => "Limit"],
  [/^edge$/, () => "The edge took"],
  [/^settled_for$/, () => "Then at rest for"],
  [/^delay$/, () => "Certain after"],
  [/^held$/, () => "Stayed at"],
  [/^rise$/, () => "Rose within"],
  [/^silent$/, () => "Silent for"],
  [/^quiet$/, () => "Quiet for"],
  [/^missing$/, () => "Missing for"],
  [/^sampling_interval$/, () => "A sample every"],
];

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function number(value, unit) {
  if (typeof value !== "number") return String(value);
  if (unit === "s") return value < 0 ? `−${length(-value * 1000)}` : length(value * 1000);
  const digits = Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return unit ? `${figure(value, digits)} ${unit}` : figure(value, digits);
}

/** `{term, text}` of one figure; the key says what it is and, at its end, its unit. */
export function worded(key, value) {
  const [suffix = "", unit = ""] = UNITS.find(([ending]) => key.endsWith(ending)) ?? [];
  const stem = suffix ? key.slice(0, -suffix.length) : key;
  for (const [pattern, words] of STEMS) {
    const found = pattern.exec(stem);
    if (found) return { term: words(found[1]?.replaceAll("_", " ")), text: number(value, unit) };
  }
  return { term: capital(stem.replaceAll("_", " ")), text: number(value, unit) };
}

/** What it looks like, how large against normal, how long, how sure: sentences. */
export function sentences(alert, event) {
  const about = event ?? alert;
  const told = [LOOKS[alert.kind] ?? ""];
  const large = size(about.amplitude_nt);
  const normal = about.snr ? `, ${figure(about.snr, about.snr < 10 ? 1 : 0)} times what is usual there` : "";
  if (large) told.push(`${large}${normal}.`);
  const start = parse(about.start);
  const end = parse(about.end);
  if (event) told.push(end === null ? "It lasts." : end > start ? `It lasted ${length(end - start)}.` : "");
  const certain = parse(about.detected_at);
  if (certain !== null && certain > start) told.push(`It was certain ${length(certain - start)} after it began.`);
  if (about.score !== undefined) told.push(`Confidence ${Math.round(100 * about.score)} %.`);
  return told.filter(Boolean);
}

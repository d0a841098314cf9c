/** The evidence of an event in words: what was measured, and against what. */

import { length } from "./clock.js";
import { figure } from "./words.js";

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

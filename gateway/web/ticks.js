/** Where the lines of a grid stand, and what is written at them: round times, round values. */

import { date, day, isoOf } from "./clock.js";
import { figure } from "./words.js";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const STEPS_MS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 5, 10].map((days) => days * DAY_MS),
];
const MONTHS = [1, 2, 3, 6, 12, 24, 36, 60];
const MONTH_MS = 30.44 * DAY_MS;

function clockText(ms, stepMs) {
  const iso = isoOf(ms);
  if (stepMs >= DAY_MS || ms % DAY_MS === 0) return day(ms);
  return iso.slice(11, stepMs >= MINUTE_MS ? 16 : stepMs >= SECOND_MS ? 19 : 21);
}

function months(start, end, step) {
  const ticks = [];
  const first = new Date(start);
  for (let month = first.getUTCFullYear() * 12 + Math.ceil(first.getUTCMonth() / step) * step; ; month += step) {
    const at = Date.UTC(Math.floor(month / 12), month % 12);
    if (at > end) return ticks;
    if (at >= start) ticks.push({ at, text: date(at).slice(2) });
  }
}

/** At most `most` round times (UTC) from `start` to `end`: `{at, text}`. */
export function timeTicks(start, end, most) {
  const least = (end - start) / most;
  const step = STEPS_MS.find((ms) => ms >= least);
  if (step === undefined) return months(start, end, MONTHS.find((count) => count * MONTH_MS >= least) ?? 120);
  const ticks = [];
  for (let at = Math.ceil(start / step) * step; at <= end; at += step) ticks.push({ at, text: clockText(at, step) });
  return ticks;
}

/** About so many round values from `low` to `high`: `{at, text}`. */
export function valueTicks(low, high, about) {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((times) => times * power >= rough * 0.8) * power;
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push({ at: i * step, text: figure(i * step, decimals) });
  return ticks;
}

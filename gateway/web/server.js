/** What the page asks the gateway for. Every function rejects with an Error when the gateway does not answer well. */

import { isoOf, learn } from "./clock.js";

const PATIENCE_MS = 15_000;

async function ask(path, query = {}) {
  const url = new URL(`/api/v1/${path}`, location.origin);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error(`${path}: the gateway answered ${answer.status}`);
  return answer.json();
}

/** Who is logged in: name, role, and `csrf` for the header X-CSRF-Token of everything that is not a GET. */
export const session = () => ask("session");

export async function stations() {
  const asked = Date.now();
  const answer = await ask("stations");
  learn(answer.now, asked);
  return answer.stations;
}

export const alerts = async () => (await ask("alerts", { state: "all", limit: 100 })).alerts;

export const events = async () => (await ask("events", { limit: 100 })).events;

/** Samples of one sensor between two times (ms); at most `maxPoints` rows, thinned so that every peak is kept. */
export const series = (station, sensor, startMs, endMs, maxPoints) =>
  ask("series", { station, sensor, start: isoOf(startMs), end: isoOf(endMs), max_points: maxPoints });

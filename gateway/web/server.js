/** What the page asks the gateway for. Every function rejects with an Error when the gateway does not answer well. */

import { isoOf, learn } from "./clock.js";

const PATIENCE_MS = 15_000;

/** The gateway answered, and did not do it. `message` is the sentence of its problem document. */
export class Refused extends Error {
  constructor(path, status, detail) {
    super(detail || `${path}: the gateway answered ${status}`);
    this.status = status;
  }
}

let csrf = null;

/** The token that proves that a change comes from this page; empty where none is due. */
export const trust = (token) => (csrf = token || null);

/** The page that asks for name and password, and comes back here. */
export const loginAddress = () => `/login#${new URLSearchParams({ to: location.hash })}`;

async function request(method, path, { query = {}, body = undefined } = {}) {
  const url = new URL(`/api/v1/${path}`, location.origin);
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(key, String(value));
  }
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (csrf !== null && method !== "GET") headers["X-CSRF-Token"] = csrf;
  const answer = await fetch(url, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await answer.text();
  const content = /json/.test(answer.headers.get("content-type") ?? "") && text ? JSON.parse(text) : null;
  if (answer.ok) return content;
  if (answer.status === 401) location.assign(loginAddress());
  throw new Refused(path, answer.status, content?.detail);
}

const ask = (path, query) => request("GET", path, { query });

export async function stations() {
  const asked = Date.now();
  const answer = await ask("stations");
  learn(answer.now, asked);
  return answer.stations;
}

/** All that are open, however long, and the newest of the rest. */
export async function alerts() {
  const asked = [ask("alerts", { state: "open", limit: 500 }), ask("alerts", { state: "all", limit: 50 })];
  const [open, newest] = await Promise.all(asked);
  return [...new Map([...open.alerts, ...newest.alerts].map((alert) => [alert.id, alert])).values()];
}

export const events = async () => (await ask("events", { limit: 100 })).events;

/** A page of alerts or events, newest first: `{rows, next}`; `next` is what the page after it is asked with, or null. */
export async function page(list, filters, after) {
  const answer = await ask(list, { ...filters, limit: 100, cursor: after });
  return { rows: answer[list], next: answer.next };
}

/** One alert with its history, its events, and the stations that agree with it. */
export const alert = (id) => ask(`alerts/${encodeURIComponent(id)}`);

const change = (id, step, body) => request("POST", `alerts/${encodeURIComponent(id)}/${step}`, { body });
export const acknowledge = (id, why) => change(id, "acknowledge", { why });
export const resolve = (id, why) => change(id, "resolve", { why });
export const judge = (id, verdict) => change(id, "verdict", { verdict });

export const silences = async () => (await ask("silences")).silences;
export const silence = (wanted) => request("POST", "silences", { body: wanted });
export const endSilence = (id) => request("DELETE", `silences/${encodeURIComponent(id)}`);
export const precision = async () => (await ask("precision")).precision;
export const accounting = async () => (await ask("accounting")).accounts;

/** Who is logged in: name, role, and `csrf` for the header X-CSRF-Token of everything that is not a GET. */
export const session = () => ask("session");
export const logOut = () => request("DELETE", "session");

export const pushKey = () => ask("push/key");
export const subscribe = (subscription) => request("POST", "push/subscriptions", { body: subscription });
export const unsubscribe = (id) => request("DELETE", `push/subscriptions/${encodeURIComponent(id)}`);

/** Samples of one sensor between two times (ms); at most `maxPoints` rows, thinned so that every peak is kept. */
export const series = (station, sensor, startMs, endMs, maxPoints, resolution = "auto") =>
  ask("series", { station, sensor, start: isoOf(startMs), end: isoOf(endMs), max_points: maxPoints, resolution });

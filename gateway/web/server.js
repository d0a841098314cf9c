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
let strangerMet = () => {};
let described = null;

/** The token that proves that a change comes from this page; null without accounts. */
export const trust = (token) => (csrf = token);

/** Calls back whenever the gateway wants to know who is asking. */
export const onStranger = (callback) => (strangerMet = callback);

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
  if (answer.status === 401 && !(method === "POST" && path === "session")) strangerMet();
  throw new Refused(path, answer.status, content?.detail);
}

const ask = (path, query) => request("GET", path, { query });

/** Another run of the gateway may be another version of it. */
export const forgetAbilities = () => (described = null);

/** What this gateway can do, by its own description, so that nothing is offered that it would not take. */
export async function abilities() {
  described ??= ask("openapi.json").catch((error) => {
    described = null;
    throw error;
  });
  const { paths } = await described;
  const has = (ending) => Object.keys(paths).some((path) => path.startsWith("/api/v1/") && path.endsWith(ending));
  return {
    acknowledge: has("/acknowledge"), resolve: has("/resolve"), verdict: has("/verdict"), silences: has("/silences"),
    story: has("/alerts/{id}") || has("/alerts/{alert_id}"), precision: has("/precision"), session: has("/session"), push: has("/push/key"),
  };
}

export async function stations() {
  const asked = Date.now();
  const answer = await ask("stations");
  learn(answer.now, asked);
  return answer.stations;
}

export const alerts = async () => (await ask("alerts", { state: "all", limit: 100 })).alerts;

export const events = async () => (await ask("events", { limit: 100 })).events;

/**
 * A page of alerts or events, newest first: `{rows, next}`; `next` is what the page after it is asked with, or null.
 * `cursor` is what the first gateways called `before`.
 */
export async function page(list, filters, after) {
  const answer = await ask(list, { ...filters, limit: 100, before: after, cursor: after });
  return { rows: answer[list], next: answer.next ?? null };
}

/** One alert with its history, its events, and the stations that agree with it. */
export const alert = (id) => ask(`alerts/${encodeURIComponent(id)}`);
export const eventsBetween = async (station, startMs, endMs) =>
  (await ask("events", { station, start: isoOf(startMs), end: isoOf(endMs), limit: 100 })).events;

const change = (id, step, body) => request("POST", `alerts/${encodeURIComponent(id)}/${step}`, { body });
export const acknowledge = (id, why) => change(id, "acknowledge", { why });
export const resolve = (id, why) => change(id, "resolve", { why });
export const judge = (id, verdict) => change(id, "verdict", { verdict });

export const silences = async () => (await ask("silences")).silences;
export const silence = (wanted) => request("POST", "silences", { body: wanted });
export const endSilence = (id) => request("DELETE", `silences/${encodeURIComponent(id)}`);
export const precision = () => ask("precision");
export const accounts = async () => (await ask("accounting")).accounts;
export const quarantine = () => ask("quarantine", { limit: 5 });

/** Who is logged in: name, role, and `csrf` for the header X-CSRF-Token of everything that is not a GET. */
export const session = () => ask("session");
export const logIn = (name, password) => request("POST", "session", { body: { name, password } });
export const logOut = () => request("DELETE", "session");

export const pushKey = () => ask("push/key");
export const subscribe = (subscription) => request("POST", "push/subscriptions", { body: subscription });

/** Samples of one sensor between two times (ms); at most `maxPoints` rows, thinned so that every peak is kept. */
export const series = (station, sensor, startMs, endMs, maxPoints, resolution = "auto") =>
  ask("series", { station, sensor, start: isoOf(startMs), end: isoOf(endMs), max_points: maxPoints, resolution });

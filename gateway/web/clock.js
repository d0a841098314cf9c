/** Time as the gateway knows it, and how the page writes it: always UTC, always 24 hours. */

let aheadMs = 0;

/** Milliseconds since 1970 by the gateway's clock; a phone's own clock may be minutes off. */
export const now = () => Date.now() + aheadMs;

/** `iso`: the gateway's time; `askedMs`: `Date.now()` when it was asked for. Half the round trip is taken off. */
export function learn(iso, askedMs) {
  const heardMs = Date.now();
  aheadMs = parse(iso) - (askedMs + heardMs) / 2;
}

/** Milliseconds of an ISO time with up to nine decimals; null for none. */
export function parse(iso) {
  if (!iso) return null;
  const ms = Date.parse(iso.replace(/(\.\d{3})\d+/, "$1"));
  return Number.isNaN(ms) ? null : ms;
}

export const isoOf = (ms) => new Date(ms).toISOString();

/** `09:53:07` */
export const timeOfDay = (ms) => isoOf(ms).slice(11, 19);

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `21 Nov` */
export function day(ms) {
  const date = new Date(ms);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
}

/** `21 Nov 2026` */
export const date = (ms) => `${day(ms)} ${new Date(ms).getUTCFullYear()}`;

/** `09:53:07` today, `20 Nov 09:53:07` before, with the year where it is another one. */
export function stamp(ms) {
  const today = isoOf(now()).slice(0, 10);
  const that = isoOf(ms).slice(0, 10);
  if (that === today) return timeOfDay(ms);
  const year = that.slice(0, 4) === today.slice(0, 4) ? "" : ` ${that.slice(0, 4)}`;
  return `${day(ms)}${year} ${timeOfDay(ms)}`;
}

/** A length of time in the one or two units that matter: `0.4 s`, `42 s`, `12 min`, `2 h 10 min`, `3 d`. */
export function length(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 4 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** How long ago, in whole units that do not flicker: `just now`, `12 s ago`, `4 min ago`. */
export function ago(ms) {
  const past = now() - ms;
  if (past < 5000) return "just now";
  if (past < 60_000) return `${Math.floor(past / 1000)} s ago`;
  const minutes = Math.floor(past / 60_000);
  return minutes < 100 ? `${minutes} min ago` : `${length(minutes * 60_000)} ago`;
}

/**
 * The stream of news from the gateway, kept alive.
 *
 * A broken stream is closed and opened again here rather than by the browser: browsers give up for good when a proxy
 * answers for a gateway that is down, and differ in how long they wait. What was missed meanwhile is not asked of the
 * stream: `hello` greets each new connection, and the page then fetches everything anew.
 */

import { session } from "./server.js";

const KINDS = ["hello", "samples", "event", "alert", "station", "resync"];
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const QUIET_MS = 30_000;
const GREETING_MS = 10_000;

export class Live {
  /** `handlers`: a function for each kind of message; `onChange`: called when `connected` changes. */
  constructor(url, handlers, onChange) {
    this.url = url;
    this.handlers = handlers;
    this.onChange = onChange;
    this.started = false;
    this.connected = false;
    this.heardMs = null;
    this.waitMs = FIRST_WAIT_MS;
    this.source = null;
    this.timer = null;
  }

  /** Once; again only hurries. */
  start() {
    if (this.started) return this.hurry();
    this.started = true;
    this.open();
    setInterval(() => this.check(), 2000);
    window.addEventListener("online", () => this.hurry());
    window.addEventListener("offline", () => this.again());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  open() {
    clearTimeout(this.timer);
    this.timer = null;
    this.source?.close();
    this.openedMs = Date.now();
    const source = new EventSource(this.url);
    this.source = source;
    source.onerror = () => source === this.source && this.again();
    for (const kind of KINDS) source.addEventListener(kind, (message) => source === this.source && this.hear(kind, message.data));
  }

  hear(kind, text) {
    this.heardMs = Date.now();
    this.handlers[kind]?.(text ? JSON.parse(text) : {});
  }

  /** The page has fetched everything after a `hello`: what it shows is the present. */
  settled() {
    this.waitMs = FIRST_WAIT_MS;
    this.tell(true);
  }

  /** Close, and try again after a wait that doubles each time, with jitter so that not all pages come at once. */
  again() {
    if (this.timer !== null) return;
    this.source?.close();
    this.source = null;
    this.tell(false);
    session().catch(() => {}); // a stream does not say why it was refused; who is not logged in is sent to the login
    this.timer = setTimeout(() => this.open(), this.waitMs * (0.75 + Math.random() / 2));
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
  }

  /** The network or the person came back: no reason to wait any longer. */
  hurry() {
    if (this.timer !== null) this.open();
  }

  /**
   * A connection can die without a word. One that has been quiet for long is made anew, without saying so: when no
   * station sends, quiet is as it should be. One that is not even greeted is broken.
   */
  check() {
    if (this.source === null) return;
    const greeted = this.heardMs !== null && this.heardMs >= this.openedMs;
    const quietMs = Date.now() - (greeted ? this.heardMs : this.openedMs);
    if (greeted && quietMs > QUIET_MS) this.open();
    else if (!greeted && quietMs > GREETING_MS) this.again();
  }

  tell(connected) {
    if (connected === this.connected) return;
    this.connected = connected;
    this.onChange(connected);
  }
}

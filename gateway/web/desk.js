/** What a person can do about an alert: acknowledge, silence, judge, resolve. Buttons, and what becomes of a press. */

import { el, say } from "./dom.js";
import * as server from "./server.js";
import { askSilence } from "./silence.js";
import { kindWords } from "./words.js";

const NOT_SENT = "Not sent, the gateway does not answer. Try again.";
const WAITING = new Set(["pending", "firing"]);

export const NOTHING = { acknowledge: false, resolve: false, verdict: false, silences: false, story: false, precision: false, session: false, push: false };

export class Desk {
  /** `session`: who may; `onChanged(alert)`: an alert is not what it was; `onSilenced()`; `tell(text)`: said to the person. */
  constructor(session, { onChanged, onSilenced, tell }) {
    this.session = session;
    this.onChanged = onChanged;
    this.onSilenced = onSilenced;
    this.tell = tell;
    this.can = NOTHING;
  }

  /** A row of buttons about the alert that `current()` gives; `update()` brings it up to date. */
  row(current, { whole = false } = {}) {
    const button = (name, words, press, look = "") => {
      const node = el("button", { type: "button", class: `button ${look}`, "data-act": name }, words);
      node.addEventListener("click", () => press(current(), node));
      return node;
    };
    const node = el("div", { class: "alert-actions" },
      button("acknowledge", "Acknowledge", (alert, pressed) => this.acknowledge(alert, pressed), "primary"),
      button("silence", "Silence", (alert) => this.silence(alert)),
      ...(whole ? [button("resolve", "Resolve", (alert, pressed) => this.resolve(alert, pressed))] : []),
      el("span", { class: "judge", role: "group", "aria-label": "Was this alert useful?" },
        ...(whole ? [el("span", { class: "judge-words" }, "Was it useful?")] : []),
        button("useful", "Useful", (alert, pressed) => this.judge(alert, "useful", pressed)),
        button("false", "False", (alert, pressed) => this.judge(alert, "false", pressed))));
    return node;
  }

  /** Shows the buttons that make sense, named in full for those who do not see the card around them. */
  update(row, alert) {
    const part = (name) => row.querySelector(`[data-act="${name}"]`);
    const may = this.session.mayChange;
    const what = `${kindWords(alert.kind)} at ${alert.station}`;
    const show = (name, wanted, words) => {
      const node = part(name);
      if (!node) return;
      node.hidden = !wanted;
      node.setAttribute("aria-label", `${words}: ${what}`);
    };
    show("acknowledge", may && this.can.acknowledge && WAITING.has(alert.state), "Acknowledge");
    show("silence", may && this.can.silences && alert.state !== "resolved", "Silence");
    show("resolve", may && this.can.resolve && alert.state !== "resolved", "Resolve");
    show("useful", may && this.can.verdict, "Useful");
    show("false", may && this.can.verdict, "False");
    for (const verdict of ["useful", "false"]) part(verdict).setAttribute("aria-pressed", String(alert.verdict === verdict));
    row.querySelector(".judge").hidden = !(may && this.can.verdict);
    row.hidden = [...row.querySelectorAll("button")].every((node) => node.hidden);
  }

  async acknowledge(alert, pressed) {
    const done = await this.sent(pressed, () => server.acknowledge(alert.id, "on the page"), "Acknowledged");
    if (done) this.onChanged(this.merged(alert, done, { state: "acknowledged" }));
  }

  async resolve(alert, pressed) {
    const done = await this.sent(pressed, () => server.resolve(alert.id, "on the page"), "Resolved");
    if (done) this.onChanged(this.merged(alert, done, { state: "resolved", resolved_at: new Date().toISOString() }));
  }

  async judge(alert, verdict, pressed) {
    const done = await this.sent(pressed, () => server.judge(alert.id, verdict), verdict === "useful" ? "Marked useful" : "Marked false");
    if (done) this.onChanged(this.merged(alert, done, { verdict }));
  }

  async silence(alert) {
    if (await askSilence(alert)) {
      this.tell("Silenced");
      this.onSilenced();
    }
  }

  /** The alert as the gateway answered it, or as it must be now. */
  merged(alert, answer, change) {
    const told = answer.alert ?? answer;
    return { ...alert, ...change, ...(told.id === alert.id ? told : {}) };
  }

  /** Sends one change; what the gateway answered, `{}` for nothing, or null when it was not done. */
  async sent(pressed, send, words) {
    pressed.disabled = true;
    try {
      const answer = await send();
      this.tell(words);
      return answer ?? {};
    } catch (error) {
      this.tell(error.status ? error.message : NOT_SENT);
      return null;
    } finally {
      pressed.disabled = false;
    }
  }
}

/** The word that stays on the screen for a moment, and is read aloud. */
export function toaster() {
  const node = el("p", { class: "toast", role: "status" });
  document.body.append(node);
  let timer = null;
  return (text) => {
    say(node, text);
    node.classList.add("up");
    clearTimeout(timer);
    timer = setTimeout(() => {
      node.classList.remove("up");
      say(node, "");
    }, 4000);
  };
}

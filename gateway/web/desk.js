/** What a person can do about an alert: acknowledge, silence, judge, resolve. Buttons, and what becomes of a press. */

import { el, say } from "./dom.js";
import * as server from "./server.js";
import { askSilence } from "./silence.js";

const NOT_SENT = "Not sent, the gateway does not answer. Try again.";
const WAITING = new Set(["pending", "firing"]);

export class Desk {
  /** `session`: who may; `onChanged(alert)`: an alert is not what it was; `onSilenced()`; `tell(text)`: said to the person. */
  constructor(session, { onChanged, onSilenced, tell }) {
    this.session = session;
    this.onChanged = onChanged;
    this.onSilenced = onSilenced;
    this.tell = tell;
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
    const show = (name, wanted, words) => {
      const node = part(name);
      if (!node) return;
      node.hidden = !wanted;
      node.setAttribute("aria-label", `${words}: ${alert.title}`);
    };
    show("acknowledge", WAITING.has(alert.state), "Acknowledge");
    show("silence", alert.state !== "resolved", "Silence");
    show("resolve", alert.state !== "resolved", "Resolve");
    show("useful", true, "Useful");
    show("false", true, "False alarm");
    for (const verdict of ["useful", "false"]) part(verdict).setAttribute("aria-pressed", String(alert.verdict === verdict));
    row.hidden = !may;
  }

  acknowledge(alert, pressed) {
    return this.sent(pressed, () => server.acknowledge(alert.id, "on the page"), "Acknowledged");
  }

  resolve(alert, pressed) {
    return this.sent(pressed, () => server.resolve(alert.id, "on the page"), "Resolved");
  }

  judge(alert, verdict, pressed) {
    return this.sent(pressed, () => server.judge(alert.id, verdict), verdict === "useful" ? "Marked useful" : "Marked as a false alarm");
  }

  async silence(alert) {
    if (await askSilence(alert)) {
      this.tell("Silenced");
      this.onSilenced();
    }
  }

  /** Sends one change, which the gateway answers with the alert as it is then. */
  async sent(pressed, send, words) {
    pressed.disabled = true;
    try {
      this.onChanged(await send());
      this.tell(words);
    } catch (error) {
      this.tell(error.status ? error.message : NOT_SENT);
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

/** The settings of this device, who is logged in, and how far the alerts can be trusted. */

import { byId, el, say } from "./dom.js";
import { canInstall } from "./installed.js";
import * as push from "./push.js";
import * as server from "./server.js";
import { chooseTheme, chosenTheme } from "./theme.js";
import { kindWords } from "./words.js";

const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

export class Settings {
  constructor(session) {
    this.session = session;
  }

  show() {
    byId("view-settings").replaceChildren(this.look(), this.pushes(), this.installing(), this.trusted(), ...this.person());
  }

  refreshed() {
    this.show();
  }

  part(id, title, ...content) {
    return el("section", { class: "sheet-part", "aria-labelledby": id }, el("h2", { id }, title), ...content);
  }

  look() {
    const buttons = THEMES.map(([theme, words]) => {
      const button = el("button", { type: "button", "aria-pressed": String(theme === chosenTheme()) }, words);
      button.addEventListener("click", () => {
        chooseTheme(theme);
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      });
      return button;
    });
    return this.part("settings-look", "Appearance", el("div", { class: "segments", role: "group", "aria-labelledby": "settings-look" }, ...buttons));
  }

  pushes() {
    const note = el("p", { class: "hint", role: "status" });
    const knob = el("button", { type: "button", class: "switch", role: "switch", "aria-checked": "false", disabled: true }, "Alerts on this device");
    const part = this.part("settings-push", "Notifications", knob, note);
    this.offer(part, knob, note).catch((error) => say(note, error.status ? error.message : "The gateway does not answer."));
    return part;
  }

  /** Makes the switch one that works, or says why it cannot. Of several channels the person chooses theirs. */
  async offer(part, knob, note) {
    const offered = await server.pushKey();
    const why = push.obstacle(offered.channels);
    say(note, why ?? "");
    if (why !== null) return;
    const set = (on) => knob.setAttribute("aria-checked", String(on));
    const channel = el("select", { id: "settings-channel" }, ...offered.channels.map((name) => el("option", {}, name)));
    if (offered.channels.length > 1) part.insertBefore(el("div", { class: "filter" }, el("label", { for: channel.id }, "Channel"), channel), knob);
    set(await push.isOn());
    knob.disabled = false;
    knob.addEventListener("click", async () => {
      const on = knob.getAttribute("aria-checked") === "true";
      knob.disabled = true;
      say(note, "");
      try {
        await (on ? push.switchOff() : push.switchOn(offered, channel.value));
        set(!on);
        say(note, on ? "Off." : "On: alerts come to this device, also when the page is closed.");
      } catch (error) {
        say(note, error.message);
      } finally {
        knob.disabled = false;
      }
    });
  }

  installing() {
    const words = canInstall()
      ? "Install it from the browser's menu, or “Add to home screen”. It opens over a bad link too, with the last known state and its age."
      : "Over https the page can be installed and opens over a bad link too.";
    return this.part("settings-install", "On the home screen", el("p", { class: "hint" }, words));
  }

  /** Of the alerts that people judged, how many were useful: by rule and station. */
  trusted() {
    const body = el("tbody");
    const table = el("table", { hidden: true }, el("thead", {}, el("tr", {}, ...["What", "Where", "Useful", "Judged"].map((word) => el("th", { scope: "col" }, word)))), body);
    const note = el("p", { class: "hint" });
    this.precision(body, table, note);
    return this.part("settings-precision", "How far alerts were right", table, note);
  }

  async precision(body, table, note) {
    try {
      const rows = await server.precision();
      body.replaceChildren(...rows.map(({ kind, station, useful, false: wrong, precision }) => {
        const cells = [kindWords(kind), station, precision === null ? "–" : `${Math.round(100 * precision)} %`, String(useful + wrong)];
        return el("tr", {}, ...cells.map((text) => el("td", {}, text)));
      }));
      table.hidden = rows.length === 0;
      say(note, rows.length ? "" : "Nobody has judged an alert yet.");
    } catch (error) {
      say(note, error.status ? error.message : "The gateway does not answer.");
    }
  }

  person() {
    const { person } = this.session;
    if (person === null) return [];
    const who = el("p", {}, `${person.name}, ${person.role}`);
    if (person.by === "machine") return [this.part("settings-person", "Account", who)];
    if (person.by === "anonymous") return [this.part("settings-person", "Account", who, el("a", { class: "text-link", href: server.loginAddress() }, "Log in"))];
    const out = el("button", { type: "button", class: "button" }, "Log out");
    const note = el("p", { class: "wrong", role: "alert" });
    out.addEventListener("click", () => this.session.leave().catch((error) => say(note, error.message)));
    return [this.part("settings-person", "Account", who, out, note)];
  }
}

/** The settings of this device, who is logged in, and how far the alerts can be trusted. */

import { byId, el, say } from "./dom.js";
import { canInstall } from "./installed.js";
import * as push from "./push.js";
import * as server from "./server.js";
import { chooseTheme, chosenTheme } from "./theme.js";
import { kindWords } from "./words.js";

const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

export class Settings {
  constructor(session, desk) {
    Object.assign(this, { session, desk });
  }

  show() {
    byId("view-settings").replaceChildren(this.look(), this.pushes(), this.installing(), ...this.trusted(), ...this.person());
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
    const knob = el("button", { type: "button", class: "switch", role: "switch", "aria-checked": "false" }, "Alerts on this device");
    const part = this.part("settings-push", "Notifications", knob, note);
    const why = push.obstacle(this.desk.can.push);
    knob.disabled = why !== null;
    say(note, why ?? "");
    if (why !== null) return part;
    const set = (on) => knob.setAttribute("aria-checked", String(on));
    push.isOn().then(set, (error) => say(note, error.message));
    knob.addEventListener("click", async () => {
      const on = knob.getAttribute("aria-checked") === "true";
      knob.disabled = true;
      try {
        await (on ? push.switchOff() : push.switchOn());
        set(!on);
        say(note, on ? "Off." : "On: alerts come to this device, also when the page is closed.");
      } catch (error) {
        say(note, error.message);
      } finally {
        knob.disabled = false;
      }
    });
    return part;
  }

  installing() {
    const words = canInstall()
      ? "Install it from the browser's menu, or “Add to home screen”. It opens over a bad link too, with the last known state and its age."
      : "Over https the page can be installed and opens over a bad link too.";
    return this.part("settings-install", "On the home screen", el("p", { class: "hint" }, words));
  }

  /** Of the alerts that people judged, how many were useful: by rule and station. */
  trusted() {
    if (!this.desk.can.precision) return [];
    const body = el("tbody");
    const table = el("table", {}, el("thead", {}, el("tr", {}, ...["What", "Where", "Useful", "Judged"].map((word) => el("th", { scope: "col" }, word)))), body);
    const note = el("p", { class: "hint" });
    this.precision(body, table, note);
    return [this.part("settings-precision", "How far alerts were right", table, note)];
  }

  async precision(body, table, note) {
    try {
      const answer = await server.precision();
      const rows = answer.precision ?? answer.rows ?? [];
      body.replaceChildren(...rows.map((row) => {
        const judged = row.judged ?? row.useful + row.false;
        const cells = [kindWords(row.rule ?? row.kind), row.station ?? "everywhere", judged ? `${Math.round((100 * row.useful) / judged)} %` : "–", String(judged)];
        return el("tr", {}, ...cells.map((text) => el("td", {}, text)));
      }));
      table.hidden = rows.length === 0;
      say(note, rows.length ? "" : "Nobody has judged an alert yet.");
    } catch (error) {
      table.hidden = true;
      say(note, error.message);
    }
  }

  person() {
    if (!this.session.accounts) return [];
    const { person } = this.session;
    const out = el("button", { type: "button", class: "button" }, "Log out");
    const note = el("p", { class: "wrong", role: "alert" });
    out.addEventListener("click", () => this.session.leave().catch((error) => say(note, error.message)));
    return [this.part("settings-person", "Account", el("p", {}, person ? `${person.name}, ${person.role}` : "Nobody is logged in."), out, note)];
  }
}

/** The alerts of now: newest first, the ones just resolved below them for a few minutes. */

import { ago, now, parse, stamp } from "./clock.js";
import { arrange, byId, el, icon, say } from "./dom.js";
import { severityOf, severityWord, stateWord } from "./words.js";

const LINGER_MS = 5 * 60_000;
const SHOWN = 4;

const began = (alert) => parse(alert.opened_at) ?? parse(alert.start) ?? 0;
const isOpen = (alert) => alert.state !== "resolved";

export class Alerts {
  /** `desk`: what can be done about one. Pressing a card opens the alert's own view. */
  constructor(desk) {
    this.desk = desk;
    this.byId = new Map();
    this.all = false;
    this.known = false;
    byId("alerts-more").addEventListener("click", () => {
      this.all = !this.all;
      this.render();
    });
  }

  /**
   * What the gateway holds, instead of what was shown. Alerts that came while the page was away are announced too.
   * `present`: false for what this device only remembers.
   */
  replace(alerts, present = true) {
    const before = this.byId;
    this.byId = new Map(alerts.map((alert) => [alert.id, alert]));
    if (this.known) for (const alert of alerts) if (!before.has(alert.id)) this.announce(alert);
    this.known ||= present;
    this.render();
  }

  /** One alert, new or changed; older news of a known alert is passed over. */
  put(alert) {
    const had = this.byId.get(alert.id);
    if (had && (parse(had.updated_at) ?? 0) > (parse(alert.updated_at) ?? 0)) return;
    this.byId.set(alert.id, alert);
    if (!had) this.announce(alert);
    this.render();
  }

  newest() {
    return this.listed().find(isOpen) ?? this.listed()[0] ?? null;
  }

  /** Those of now; what a region's alert has taken over is told by that one. */
  listed() {
    const since = now() - LINGER_MS;
    const own = [...this.byId.values()].filter((alert) => alert.part_of === null);
    const shown = own.filter((alert) => isOpen(alert) || (parse(alert.resolved_at) ?? 0) > since);
    return shown.sort((a, b) => isOpen(b) - isOpen(a) || began(b) - began(a));
  }

  announce(alert) {
    if (!isOpen(alert)) return;
    const line = byId(alert.severity === "critical" ? "announce-now" : "announce");
    line.textContent = `${severityWord(severityOf(alert))}: ${alert.title}`;
  }

  render() {
    const listed = this.listed();
    const open = listed.filter(isOpen).length;
    const shown = listed.filter((alert, i) => this.all || i < SHOWN || (isOpen(alert) && alert.severity === "critical"));
    arrange(byId("alerts"), shown, (alert) => alert.id, (alert) => this.make(alert.id), (node, alert) => this.update(node, alert));
    say(byId("alerts-count"), open ? String(open) : "");
    byId("alerts-quiet").hidden = open > 0 || !this.known;
    const more = byId("alerts-more");
    more.hidden = !this.all && shown.length === listed.length;
    say(more, this.all ? "Show fewer" : `Show all ${listed.length}`);
    const count = byId("ways-count");
    count.hidden = open === 0;
    say(count, String(open));
    document.title = open ? `(${open}) magwatch` : "magwatch";
  }

  make(id) {
    const show = el("a", { class: "alert-show", href: `#alert/${encodeURIComponent(id)}` });
    return el(
      "li",
      { class: "alert" },
      el("span", { class: "alert-icon" }),
      el("h3", { class: "alert-title" }, show),
      el("p", { class: "alert-meta" },
        el("span", { class: "alert-severity" }), el("span", { class: "alert-state" }), el("time", { class: "alert-since" })),
      this.desk.row(() => this.byId.get(id)),
    );
  }

  update(node, alert) {
    const severity = severityOf(alert);
    const look = `${severity} ${alert.state}`;
    const part = (name) => node.querySelector(`.alert-${name}`);
    if (node.dataset.look !== look) {
      node.dataset.look = look;
      node.dataset.severity = severity;
      node.dataset.state = alert.state;
      part("icon").replaceChildren(icon(isOpen(alert) ? severity : "done"));
    }
    say(part("show"), alert.title);
    say(part("severity"), severityWord(severity));
    say(part("state"), stateWord(alert.state));
    part("since").dateTime = alert.start ?? alert.opened_at;
    this.desk.update(part("actions"), alert);
    this.tell(node, alert);
  }

  tell(node, alert) {
    const resolved = isOpen(alert) ? null : parse(alert.resolved_at);
    const since = resolved ?? parse(alert.start) ?? began(alert);
    say(node.querySelector(".alert-since"), `${ago(since)}, ${stamp(since)}`);
  }

  /** Once a second: the ages move on, and what was resolved long ago leaves. */
  tick() {
    const list = byId("alerts");
    for (const node of list.children) this.tell(node, this.byId.get(node.dataset.key));
    if (this.listed().length !== this.count) this.render();
    this.count = this.listed().length;
  }
}

/** The buttons above the magnetogram: how long, how drawn, what is subtracted, from when to when. */

import { isoOf, parse } from "./clock.js";
import { el, say } from "./dom.js";

const MINUTE_MS = 60_000;
const SPANS = [["10 min", 10], ["1 h", 60], ["6 h", 360], ["1 d", 1440], ["7 d", 10_080], ["30 d", 43_200]];
const NEAR = 0.02;

const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));

function button(words, label, onPress, look = "button") {
  const node = el("button", { type: "button", class: look, "aria-label": label === words ? null : label }, words);
  node.addEventListener("click", onPress);
  return node;
}

export class ExploreBar {
  /** `on`: what to do at `span(ms)`, `overlaid(bool)`, `raw(bool)`, `minus(key)`, `dates(start, end)`, `step(±1)`, `zoom(factor)`. */
  constructor(box, on) {
    this.spans = SPANS.map(([words, minutes]) => {
      const node = button(words, words, () => on.span(minutes * MINUTE_MS), "");
      node.dataset.ms = minutes * MINUTE_MS;
      return node;
    });
    this.stacked = button("Stacked", "Stacked", () => on.overlaid(false), "");
    this.overlaid = button("Overlaid", "Overlaid", () => on.overlaid(true), "");
    this.raw = button("Raw", "Raw: as read, with spikes and what else is flagged", () => on.raw(this.raw.getAttribute("aria-pressed") !== "true"), "chip");
    this.minus = el("select", { id: "explore-minus" });
    this.minus.addEventListener("change", () => on.minus(this.minus.value));
    this.from = el("input", { type: "datetime-local", step: 1, id: "explore-from" });
    this.to = el("input", { type: "datetime-local", step: 1, id: "explore-to" });
    this.wrong = el("p", { class: "wrong", role: "alert" });
    const dates = el("form", { class: "dates" },
      el("label", { for: "explore-from" }, "From (UTC)"), this.from, el("label", { for: "explore-to" }, "To (UTC)"), this.to,
      el("button", { type: "submit", class: "button" }, "Show"), this.wrong);
    dates.addEventListener("submit", (event) => {
      event.preventDefault();
      this.dated(on);
    });
    const moves = el("div", { class: "moves", role: "group", "aria-label": "Move and zoom" },
      button("‹", "Earlier", () => on.step(-1)), button("−", "Zoom out", () => on.zoom(2)), button("+", "Zoom in", () => on.zoom(0.5)), button("›", "Later", () => on.step(1)));
    box.append(
      el("div", { class: "segments", role: "group", "aria-label": "Length, up to now" }, ...this.spans), moves,
      el("div", { class: "segments", role: "group", "aria-label": "Arrangement" }, this.stacked, this.overlaid), this.raw,
      el("label", { class: "minus" }, "Less", this.minus),
      el("details", { class: "dates-fold" }, el("summary", {}, "Dates"), dates));
  }

  dated(on) {
    const start = parse(this.from.value && `${this.from.value}Z`);
    const end = parse(this.to.value && `${this.to.value}Z`);
    const good = start !== null && end !== null && start < end;
    say(this.wrong, good ? "" : "From must be before To.");
    if (good) on.dates(start, end);
  }

  show({ start, end, follow, overlaid, raw }) {
    const span = end - start;
    for (const node of this.spans) press(node, follow && Math.abs(span / Number(node.dataset.ms) - 1) < NEAR);
    press(this.stacked, !overlaid);
    press(this.overlaid, overlaid);
    press(this.raw, raw);
    if (document.activeElement !== this.from) this.from.value = isoOf(start).slice(0, 19);
    if (document.activeElement !== this.to) this.to.value = isoOf(end).slice(0, 19);
  }

  /** What can be subtracted from the rest. */
  subtrahends(keys, chosen) {
    const names = ["", ...keys];
    if (names.join() !== [...this.minus.options].map(({ value }) => value).join()) {
      this.minus.replaceChildren(...names.map((key) => el("option", { value: key }, key ? key.split("/").filter((_, i) => i !== 1).join(" ") : "nothing")));
    }
    this.minus.value = chosen;
  }
}

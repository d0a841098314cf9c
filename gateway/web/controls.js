/** What stands around the strips: the title, the choices, the legend, the line that says what time is shown. */

import { ago, isoOf, now, stamp } from "./clock.js";
import { arrange, byId, el, icon, say } from "./dom.js";
import { MARKS, rate, where } from "./words.js";

const WINDOWS = [2, 10, 60];

const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));

/** A row of buttons, one a name, of which some are pressed. */
function chips(box, names, isPressed, onPress) {
  const make = (name) => {
    const chip = el("button", { type: "button", class: "chip" }, name);
    chip.addEventListener("click", () => onPress(name));
    return chip;
  };
  arrange(byId(box), names, (name) => name, make, (chip, name) => press(chip, isPressed(name)));
}

export class Controls {
  /** `on`: what to do at `live()`, `minutes(number)`, `sensor(name)`, `channel(name)`. */
  constructor(on) {
    this.on = on;
    byId("chart-live").addEventListener("click", () => on.live());
    for (const minutes of WINDOWS) {
      const button = el("button", { type: "button", "data-minutes": minutes }, `${minutes} min`);
      button.addEventListener("click", () => on.minutes(minutes));
      byId("chart-windows").append(button);
    }
    const entry = (name, word) => el("span", { class: `legend-entry mark-${name}` }, icon(name), word);
    byId("legend").append(...MARKS.map(({ name, word }) => entry(name, word)).reverse(), entry("event", "Event"),
      el("span", { class: "legend-hint" }, "Drag to look back, Ctrl + wheel to zoom"));
  }

  /** `channels`: names of all that there are; `shown`: a Set of those that are up. */
  show({ station, sensor, sensors, channels, shown, minutes, browsing }) {
    say(byId("chart-title"), station ?? "Field");
    byId("chart-live").hidden = !browsing;
    for (const button of byId("chart-windows").children) press(button, Number(button.dataset.minutes) === minutes);
    chips("chart-sensors", sensors.length > 1 ? sensors : [], (name) => name === sensor, (name) => this.on.sensor(name));
    chips("chart-channels", channels, (name) => shown.has(name), (name) => this.on.channel(name));
  }

  /** The time that the pointer is at, else the span that is looked back on, else the sensor, its rate, its place. */
  where({ sensor, rateHz, position, browse, pointerMs }) {
    let text = [sensor, rate(rateHz), where(position)].filter(Boolean).join(" · ");
    if (pointerMs !== null) text = `${stamp(pointerMs)}${isoOf(pointerMs).slice(19, 21)} UTC`;
    else if (browse !== null) text = `${stamp(browse.start)} to ${stamp(browse.end)} UTC`;
    say(byId("chart-where"), text);
  }

  /** One line when what is shown is not the present. */
  note(endMs, browsing, empty) {
    let text = "";
    if (empty) text = browsing ? "Nothing is stored of this time." : "No samples in this window yet.";
    else if (!browsing && now() - endMs > 1000) text = `Silent: the last value came ${ago(endMs)}, at ${stamp(endMs)} UTC.`;
    say(byId("chart-note"), text);
  }

  unanswered() {
    say(byId("chart-note"), "The gateway does not answer. The chart goes on when it does.");
  }
}

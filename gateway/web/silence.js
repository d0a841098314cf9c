/** Silencing: the dialog that asks what, how long and why, and the list of what is silent now. */

import { isoOf, now, parse, stamp } from "./clock.js";
import { arrange, byId, el, say } from "./dom.js";
import * as server from "./server.js";
import { kindWords } from "./words.js";

const HOUR_MS = 3_600_000;
const MORNING = 7;
const REASONS = ["Work at the site", "Known cause", "Test"];

/** The next seven o'clock by the clock on the wall where the person is. */
export function morning(fromMs) {
  const at = new Date(fromMs);
  at.setHours(MORNING, 0, 0, 0);
  if (at.getTime() <= fromMs) at.setDate(at.getDate() + 1);
  return at.getTime();
}

const LENGTHS = [["1 hour", (from) => from + HOUR_MS], ["Until morning", morning], ["1 day", (from) => from + 24 * HOUR_MS]];

function choice(name, legend, words) {
  const options = words.map((word, i) => el("label", { class: "option" }, el("input", { type: "radio", name, value: i, checked: i === 0 }), word));
  return el("fieldset", { class: "options" }, el("legend", {}, legend), ...options);
}

function words({ station, region, kind }) {
  const place = station ? `at ${station}` : region ? `in ${region}` : "everywhere";
  return `${kind ? kindWords(kind) : "Everything"} ${place}`;
}

/** What a silence may cover, the narrowest first. */
function matchers(alert) {
  const place = alert.region === null ? { station: alert.station } : { region: alert.region };
  return [{ ...place, kind: alert.kind }, place, { kind: alert.kind }].map((matcher) => [words(matcher), matcher]);
}

/** Asks, and silences. Resolves with true when it was done. */
export function askSilence(alert) {
  const what = matchers(alert);
  const why = el("input", { id: "silence-why", name: "why", required: true, maxlength: 200, autocomplete: "off" });
  const reasons = REASONS.map((reason) => {
    const chip = el("button", { type: "button", class: "chip" }, reason);
    chip.addEventListener("click", () => (why.value = reason));
    return chip;
  });
  const wrong = el("p", { class: "wrong", role: "alert" });
  const cancel = el("button", { type: "button", class: "button" }, "Cancel");
  const submit = el("button", { type: "submit", class: "button primary" }, "Silence");
  const form = el("form", { class: "dialog-form" },
    el("h2", { id: "silence-title" }, "Silence"),
    choice("what", "What", what.map(([words]) => words)),
    choice("length", "For how long", LENGTHS.map(([words]) => words)),
    el("label", { for: "silence-why" }, "Why"), why,
    el("div", { class: "chips" }, ...reasons), wrong,
    el("div", { class: "dialog-buttons" }, cancel, submit));
  const dialog = el("dialog", { class: "dialog", "aria-labelledby": "silence-title" }, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "done");
      dialog.remove();
    });
    cancel.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const chosen = new FormData(form);
      const [, until] = LENGTHS[Number(chosen.get("length"))];
      const [, matcher] = what[Number(chosen.get("what"))];
      submit.disabled = true;
      try {
        await server.silence({ ...matcher, until: isoOf(until(now())), why: why.value.trim() });
        dialog.close("done");
      } catch (error) {
        say(wrong, error.status ? error.message : "Not sent, the gateway does not answer. Try again.");
      } finally {
        submit.disabled = false;
      }
    });
    dialog.showModal();
  });
}

/** What is silent now, each with the way to end it. */
export class Silences {
  constructor(session, tell) {
    this.session = session;
    this.tell = tell;
  }

  async refresh() {
    const all = await server.silences();
    const lasting = all.filter((silence) => (parse(silence.until) ?? Infinity) > now());
    byId("silences").hidden = lasting.length === 0;
    say(byId("silences-count"), String(lasting.length));
    arrange(byId("silences-list"), lasting, (silence) => String(silence.id), (silence) => this.make(silence), (node, silence) => this.update(node, silence));
  }

  make(silence) {
    const end = el("button", { type: "button", class: "button", "aria-label": `End: ${words(silence)}` }, "End");
    end.addEventListener("click", async () => {
      try {
        await server.endSilence(silence.id);
        this.tell("The silence has ended");
        await this.refresh();
      } catch (error) {
        this.tell(error.message);
      }
    });
    return el("li", { class: "silence" }, el("p", { class: "silence-what" }), el("p", { class: "silence-why" }), end);
  }

  update(node, silence) {
    say(node.querySelector(".silence-what"), words(silence));
    const until = `until ${stamp(parse(silence.until))} UTC`;
    say(node.querySelector(".silence-why"), [until, silence.why, silence.who].filter(Boolean).join(" · "));
    node.querySelector("button").hidden = !this.session.mayChange;
  }
}

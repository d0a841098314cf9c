/** Light or dark, as the system or the person has it; and the colours that the charts draw with, read from the style sheet. */

import { kept, keep } from "./kept.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];
const BARS = { light: "#f5f6f7", dark: "#0d1317" };

/** The colour that a variable stands for now: `light-dark()` is resolved by the browser, on an element. */
function reader() {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  return { read, done: () => probe.remove() };
}

function readAll() {
  const { read, done } = reader();
  const colors = {
    soft: read("ink-soft"),
    grid: read("chart-grid"),
    traces: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => read(`trace-${i}`)),
    severity: { info: read("info"), warning: read("warning"), critical: read("critical") },
    marks: { spike: read("mark-spike"), stuck: read("mark-stuck"), saturated: read("mark-saturated"), missing: read("mark-missing") },
    font: getComputedStyle(document.documentElement).getPropertyValue("--font").trim(),
  };
  done();
  return colors;
}

let current = null;

/** The palette as it is now. */
export function palette() {
  current ??= readAll();
  return current;
}

/** "light", "dark", or "system". */
export const chosenTheme = () => document.documentElement.dataset.theme ?? "system";

export function chooseTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  keep("theme", theme === "system" ? null : theme);
  changed();
}

/** Calls back after the palette has become another one. */
export const onThemeChange = (listener) => listeners.push(listener);

/** The browser's own bar is coloured like the page. */
function colourBar() {
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
    const own = meta.media.includes("dark") ? "dark" : "light";
    meta.content = BARS[kept("theme") ?? own];
  }
}

function changed() {
  current = null;
  colourBar();
  for (const listener of listeners) listener();
}

dark.addEventListener("change", changed);
colourBar();

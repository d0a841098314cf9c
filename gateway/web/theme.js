/** The colours that the chart draws with, read from the style sheet so that they stand in one place only. */

const dark = matchMedia("(prefers-color-scheme: dark)");

const read = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function readAll() {
  return {
    ink: read("--ink"),
    soft: read("--ink-soft"),
    grid: read("--chart-grid"),
    surface: read("--surface"),
    traces: [read("--trace-0"), read("--trace-1"), read("--trace-2"), read("--trace-3")],
    severity: { info: read("--info"), warning: read("--warning"), critical: read("--critical") },
    marks: { spike: read("--mark-spike"), stuck: read("--mark-stuck"), saturated: read("--mark-saturated"), missing: read("--mark-missing") },
    font: read("--font"),
  };
}

let current = null;

/** The palette as it is now. */
export function palette() {
  current ??= readAll();
  return current;
}

/** Calls back after the palette has become another one. */
export const onThemeChange = (changed) =>
  dark.addEventListener("change", () => {
    current = null;
    changed();
  });

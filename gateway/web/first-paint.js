// Runs before the first paint, so that a page set to dark does not flash in light.
try {
  const theme = localStorage.getItem("magwatch.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden: the page follows the system.
}

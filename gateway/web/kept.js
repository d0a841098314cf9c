/** What this device keeps between visits: choices, and the last known state for a bad link. Never a secret. */

const PREFIX = "magwatch.";

/** The value, or null: nothing kept, or storage is forbidden or damaged. */
export function kept(name) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    if (text === null) return null;
    return text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text;
  } catch {
    return null;
  }
}

/** Keeps a string, an object or a list; null forgets. Without room or permission nothing is kept. */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, typeof value === "string" ? value : JSON.stringify(value));
  } catch (error) {
    console.info(`magwatch: ${name} is not kept on this device: ${error.message}`);
  }
}

const STATE = "state";

/** The fleet, its alerts and events as the gateway told them at `at` (ms by this device's clock). */
export const keepState = (at, stations, alerts, events) => keep(STATE, { at, stations, alerts, events });
export const keptState = () => kept(STATE);
export const forgetState = () => keep(STATE, null);

/** Web Push to this device: whether it can be had, whether it is on, and switching it. */

import { keep, kept } from "./kept.js";
import * as server from "./server.js";

const SUBSCRIBED = "push";

/** Why it cannot be switched on here, in words; null when it can. `channels`: those of the gateway that take devices. */
export function obstacle(channels) {
  if (channels.length === 0) return "This gateway has no channel for Web Push in its settings.";
  if (!("serviceWorker" in navigator)) return "Web Push needs https, or this machine itself.";
  if (!("PushManager" in window)) return "This browser has no Web Push. On an iPhone, add the page to the home screen first.";
  if (Notification.permission === "denied") return "Notifications of this page are forbidden in the browser's settings.";
  return null;
}

async function current() {
  const registration = await navigator.serviceWorker.getRegistration();
  return (await registration?.pushManager.getSubscription()) ?? null;
}

export const isOn = async () => (await current()) !== null;

function bytes(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

async function subscribed(key) {
  const registration = await navigator.serviceWorker.ready;
  try {
    return await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
  } catch (error) {
    console.info(`magwatch: ${error.message}`);
    throw new Error("The browser's push service cannot be reached from here. Try again later.", { cause: error });
  }
}

/** Asks the person, subscribes, and tells the gateway; nothing stays subscribed that the gateway does not know of. */
export async function switchOn({ key }, channel) {
  if ((await Notification.requestPermission()) !== "granted") throw new Error("Notifications were not allowed.");
  const subscription = await subscribed(key);
  try {
    const { id } = await server.subscribe({ ...subscription.toJSON(), channel });
    keep(SUBSCRIBED, id);
  } catch (error) {
    await subscription.unsubscribe();
    throw error;
  }
}

/** The gateway is told first; where it does not answer, the push service tells it that the device is gone. */
export async function switchOff() {
  const id = kept(SUBSCRIBED);
  if (id !== null) await server.unsubscribe(id).catch((error) => console.info(`magwatch: ${error.message}`));
  keep(SUBSCRIBED, null);
  await (await current())?.unsubscribe();
}

/** Web Push to this device: whether it can be had, whether it is on, and switching it. */

import * as server from "./server.js";

/** Why it cannot be switched on here, in words; null when it can. `offered`: the gateway has keys for it. */
export function obstacle(offered) {
  if (!offered) return "This gateway does not send Web Push.";
  if (!("serviceWorker" in navigator)) return "Web Push needs https, or this machine itself.";
  if (!("PushManager" in window)) return "This browser has no Web Push. On an iPhone, add the page to the home screen first.";
  if (Notification.permission === "denied") return "Notifications of this page are forbidden in the browser's settings.";
  return null;
}

export async function isOn() {
  const registration = await navigator.serviceWorker.getRegistration();
  return Boolean(await registration?.pushManager?.getSubscription());
}

function bytes(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Asks the person, subscribes, and tells the gateway; nothing stays subscribed that the gateway does not know of. */
export async function switchOn() {
  if ((await Notification.requestPermission()) !== "granted") throw new Error("Notifications were not allowed.");
  const answer = await server.pushKey();
  const registration = await navigator.serviceWorker.ready;
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(answer.key ?? answer.public_key) });
  try {
    await server.subscribe(subscription.toJSON());
  } catch (error) {
    await subscription.unsubscribe();
    throw error;
  }
}

/** The push service tells the gateway that it is gone. */
export async function switchOff() {
  const registration = await navigator.serviceWorker.ready;
  await (await registration.pushManager.getSubscription())?.unsubscribe();
}

/** The page on a device: its service worker, and the news that there is a newer page. */

import { byId, el } from "./dom.js";
import { go } from "./router.js";

const LOOK_MS = 30 * 60_000;

/** Browsers have service workers on https and on this machine only. */
export const canInstall = () => "serviceWorker" in navigator;

export function install() {
  if (!canInstall()) return;
  const had = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.register("/service-worker.js", { updateViaCache: "none" }).then(
    (registration) => setInterval(() => registration.update().catch(() => {}), LOOK_MS),
    (error) => console.info(`magwatch: not kept for a bad link: ${error.message}`),
  );
  navigator.serviceWorker.addEventListener("controllerchange", () => had && offerReload());
  navigator.serviceWorker.addEventListener("message", ({ data }) => typeof data?.go === "string" && data.go.startsWith("#") && go(data.go));
}

/** An open page is not torn away from under a person: it says that there is a newer one. */
function offerReload() {
  const button = el("button", { type: "button", class: "button" }, "Show it");
  button.addEventListener("click", () => location.reload());
  byId("news").replaceChildren("The gateway has a newer page. ", button);
  byId("news").hidden = false;
}

// Keeps the page for a bad link, and takes pushes. Runs apart from the page; `shell.js` says which version there is.
// The address of every file of the page names its version, so files of two versions cannot meet; the page itself is
// asked of the gateway first, so that no old one is shown while there is a link.

importScripts("/shell.js");

const { version, files } = self.SHELL;
const CACHE = `magwatch-${version}`;
const PATIENCE_MS = 4000;

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(files);
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("magwatch-") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

/** From the gateway; when it is slow, away, or a proxy answers for it, what was kept. */
async function freshPage(request) {
  const kept = async () => (await caches.match("/", { cacheName: CACHE })) ?? Response.error();
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer.status >= 502 && answer.status <= 504 ? kept() : answer;
  } catch {
    return kept();
  }
}

async function keptFile(request) {
  return (await caches.match(request, { cacheName: CACHE, ignoreVary: true })) ?? fetch(request);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate" && pathname === "/") event.respondWith(freshPage(request));
  else if (pathname.startsWith("/static/")) event.respondWith(keptFile(request));
});

/** What a push says: `{title, body, tag, url, severity}`; a browser must show something, whatever came. */
function told(data) {
  try {
    return data?.json() ?? {};
  } catch {
    return { body: data.text() };
  }
}

self.addEventListener("push", (event) => {
  const { title = "magwatch", body = "", tag, url = "/#now", severity, alert_id: alert } = told(event.data);
  event.waitUntil(self.registration.showNotification(title, {
    body, tag, renotify: Boolean(tag) && severity === "critical", requireInteraction: severity === "critical",
    icon: "/static/icon-192.png", badge: "/static/badge-96.png", data: { url: alert ? `/#alert/${alert}` : url },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const wanted = new URL(event.notification.data?.url ?? "/", self.location.origin);
  const url = wanted.origin === self.location.origin ? wanted.href : self.location.origin;
  event.waitUntil((async () => {
    const [open] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    if (!open) return self.clients.openWindow(url);
    open.postMessage({ go: new URL(url).hash });
    return open.focus();
  })());
});

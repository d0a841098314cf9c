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

/** What a push says (docs/alerts.md); a browser must show something, whatever came. */
function told(data) {
  try {
    return data?.json() ?? {};
  } catch {
    return { body: data.text() };
  }
}

self.addEventListener("push", (event) => {
  const { title = "magwatch", body = "", tag, what = "firing", severity, actions = [], alert_id: alert } = told(event.data);
  const asks = ["firing", "raised", "reminder"].includes(what);
  const loud = asks && severity === "critical";
  event.waitUntil(self.registration.showNotification(title, {
    body, tag, renotify: Boolean(tag) && loud, requireInteraction: loud, silent: !asks,
    icon: "/static/icon-192.png", badge: "/static/badge-96.png",
    actions: actions.slice(0, Notification.maxActions ?? 0).map(({ action, title: words }) => ({ action, title: words })),
    data: { go: alert ? `#alert/${alert}` : "#now", links: Object.fromEntries(actions.map((one) => [one.action, one.url])) },
  }));
});

/** A button's link is its own permission: a POST there does it, once. Where it does not, the page of the link says why. */
async function press(link) {
  try {
    const answer = await fetch(new URL(link).pathname, { method: "POST" });
    if (answer.ok) return;
  } catch {
    // No link to the gateway now: the page of the link can be tried again.
  }
  await self.clients.openWindow(link);
}

self.addEventListener("notificationclick", (event) => {
  const { go, links } = event.notification.data;
  event.notification.close();
  event.waitUntil((async () => {
    if (event.action in links) return press(links[event.action]);
    const [open] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    if (!open) return self.clients.openWindow(`/${go}`);
    open.postMessage({ go });
    return open.focus();
  })());
});

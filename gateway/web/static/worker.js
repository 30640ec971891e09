// The service worker of the house's pages: it shows the notifications that the box pushes, and, while the box does not
// answer, a page that says so. It stores that page alone (listed above by the box), never one that shows the house.
const MINE = `perron-pages-${VERSION}`;
const CHOICE = "perron-language"; // a cache with one entry: the language of the page that was open last
const PICTURE_WAIT_MS = 4000; // the text is shown already; later than this a picture would surprise
const LATE_AFTER_MS = 60000; // as the box has it (gateway/runtime/notifications/batching.py)

async function install() {
  const cache = await caches.open(MINE);
  await Promise.all(KEPT.map(async (path) => {
    const answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error" });
    if (!answer.ok) throw new TypeError(`${path}: ${answer.status}`);
    await cache.put(path, answer);
  }));
  await self.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith("perron-pages-") && name !== MINE) await caches.delete(name);
  await self.registration.navigationPreload?.enable(); // the page is asked for while this worker still starts
  await self.clients.claim();
}

async function language() {
  const chosen = await (await (await caches.open(CHOICE)).match("/"))?.text();
  const known = [chosen, ...self.navigator.languages.map((one) => one.slice(0, 2))];
  return known.find((one) => LANGUAGES.includes(one)) ?? LANGUAGES[0];
}

async function kept(path) {
  return (await (await caches.open(MINE)).match(path)) ?? Response.error();
}

async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return kept(`/offline/${await language()}`);
  }
}

self.addEventListener("install", (event) => {
  // Pictures, films and scripts do not wait for this worker, where a browser can be told so.
  event.addRoutes?.(["/static/*", "/film/*", "/live/*"].map((pathname) => ({ condition: { urlPattern: { pathname } }, source: "network" }))).catch(() => {});
  event.waitUntil(install());
});
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (KEPT.includes(url.pathname)) event.respondWith(kept(url.pathname));
  else if (event.request.mode === "navigate") event.respondWith(page(event));
});
self.addEventListener("message", (event) => {
  const chosen = event.data?.language;
  if (LANGUAGES.includes(chosen)) event.waitUntil(caches.open(CHOICE).then((cache) => cache.put("/", new Response(chosen))));
});

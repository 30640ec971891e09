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

// What the box pushes: {title, body, late, at, tag, urgent, ringing, language, picture, failed, actions}, written by
// gateway/runtime/notifications/web_push.py. The text is shown at once; the picture, if the box can be reached from
// where the phone is, takes its place.
function options(said, more) {
  const isLate = said.at !== null && Date.now() - said.at > LATE_AFTER_MS;
  return {
    body: isLate && said.late ? `${said.body} ${said.late}` : said.body,
    lang: said.language, tag: said.tag, renotify: true, requireInteraction: said.urgent || said.ringing,
    timestamp: said.at ?? Date.now(), icon: "/static/perron-192.png", badge: "/static/perron-badge-96.png", data: said,
    actions: said.actions.map(({ action, title }) => ({ action, title })), ...more,
  };
}

async function picture(path) {
  try {
    const answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(PICTURE_WAIT_MS) });
    if (!answer.ok) return null;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return `data:image/jpeg;base64,${btoa(text)}`;
  } catch {
    return null; // away from home the box is not reached: the text stands
  }
}

async function tell(said) {
  await self.registration.showNotification(said.title, options(said));
  const image = said.picture === null ? null : await picture(said.picture);
  if (image === null) return;
  const shown = await self.registration.getNotifications({ tag: said.tag });
  if (!shown.some((one) => one.data.picture === said.picture)) return; // answered or replaced meanwhile
  await self.registration.showNotification(said.title, options(said, { image, renotify: false, silent: true }));
}

async function open(path) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const here = windows.find((one) => new URL(one.url).pathname === path);
  return here ? here.focus() : self.clients.openWindow(path);
}

// A button that only takes access away acts at once; any other leads to its page, which shows the picture and asks.
async function act(notification, action) {
  const said = notification.data;
  notification.close();
  const chosen = said.actions.find((one) => one.action === action);
  if (chosen === undefined) return open("/");
  if (!chosen.at_once) return open(chosen.path);
  let body = said.failed;
  try {
    const answer = await fetch(chosen.path, { method: "POST", headers: { Accept: "application/json" } });
    body = (await answer.json()).said;
  } catch { /* not reached: the phone says so */ }
  return self.registration.showNotification(said.title, options({ ...said, body, late: "", picture: null, urgent: false, ringing: false, actions: body === said.failed ? said.actions : [] }));
}

// The browser's maker gave it another address: tell the box, in the name of whoever is signed in here.
async function renew(event) {
  const key = (event.newSubscription ?? event.oldSubscription)?.options.applicationServerKey;
  const fresh = event.newSubscription ?? (await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
  const { endpoint, keys } = fresh.toJSON();
  await fetch("/settings/messages/browser", { method: "POST", body: new URLSearchParams({ endpoint, ...keys }), headers: { Accept: "application/json" } });
}

self.addEventListener("push", (event) => event.waitUntil(tell(event.data.json())));
self.addEventListener("notificationclick", (event) => event.waitUntil(act(event.notification, event.action)));
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));

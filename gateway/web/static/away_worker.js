// Keeps the page for away from home, whole or not at all: each file is what this worker's own list says by its SHA-256. The
// list stands above, written by the box; a new list, so a new version, can come from nowhere else.
const MINE = `perron-away-${VERSION}`;

async function fetched(path) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error" });
  if (!answer.ok) throw new TypeError(`${path}: ${answer.status}`);
  const bytes = await answer.clone().arrayBuffer();
  const digest = Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (one) => one.toString(16).padStart(2, "0")).join("");
  if (digest !== KEPT[path]) throw new TypeError(`${path} is of another version`);
  return answer;
}

async function install() {
  const answers = await Promise.all(Object.keys(KEPT).map(async (path) => [path, await fetched(path)]));
  const cache = await caches.open(MINE);
  for (const [path, answer] of answers) await cache.put(path, answer);
  await self.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith("perron-away-") && name !== MINE) await caches.delete(name);
  await self.clients.claim();
}

function language() {
  const known = self.navigator.languages.map((one) => one.slice(0, 2)).find((one) => LANGUAGES.includes(one));
  return known ?? LANGUAGES[0];
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return; // the hub's answers are never kept
  const path = url.pathname.replace(/\/$/, "");
  if (path === "/away") event.respondWith(Response.redirect(`/away/${language()}`, 302));
  else if (path in KEPT) event.respondWith(caches.open(MINE).then((cache) => cache.match(path)).then((answer) => answer ?? fetch(event.request)));
});

// Registers the service worker of the house's pages, where the browser lets a page have one: over HTTPS under a
// certificate that it trusts. `registered` is the registration, or null.
export const registered = register();

async function register() {
  if (!window.isSecureContext || !("serviceWorker" in navigator)) return null;
  // After the first paint: the page comes first
  await new Promise((go) => (window.requestIdleCallback ? requestIdleCallback(go, { timeout: 2000 }) : setTimeout(go, 200)));
  try {
    await navigator.serviceWorker.register("/worker.js");
  } catch {
    return null; // a certificate whose warning was clicked away
  }
  const ready = await navigator.serviceWorker.ready;
  ready.active?.postMessage({ language: document.documentElement.lang });
  return ready;
}

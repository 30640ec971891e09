// The page of the phones: lets this browser be told, and says what is in the way where it cannot be.
import { registered } from "./install.js";

const place = document.getElementById("this-phone");
const error = document.getElementById("browser-error");

function show(state) {
  for (const one of place.querySelectorAll("[data-when]")) one.hidden = !one.dataset.when.split(" ").includes(state);
}

async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

async function look() {
  if (!window.isSecureContext) return show("insecure");
  if (!("serviceWorker" in navigator)) return show("unable");
  const registration = await registered;
  if (registration === null) return show("insecure"); // the browser does not trust the certificate
  if (!("PushManager" in window) || !("Notification" in window)) return show("unable");
  if (Notification.permission === "denied") return show("denied");
  const subscription = await registration.pushManager.getSubscription();
  const told = subscription !== null && (await digest(subscription.endpoint)) === place.dataset.known;
  show(told ? "told" : "able");
}

async function subscribe() {
  const { pushManager } = await registered;
  const old = await pushManager.getSubscription();
  if (old !== null) await old.unsubscribe(); // it may be for the key of an earlier household
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: place.dataset.key });
}

async function start(button) {
  error.textContent = "";
  button.disabled = true;
  try {
    if ((await Notification.requestPermission()) !== "granted") return show("denied");
    const { endpoint, keys } = (await subscribe()).toJSON();
    const fields = new URLSearchParams({ endpoint, ...keys });
    const answer = await fetch("/settings/messages/browser", { method: "POST", body: fields, headers: { Accept: "application/json" } });
    const said = await answer.json();
    if (said.why) error.textContent = said.why;
    else location.reload();
  } catch {
    error.textContent = error.dataset.failed;
  } finally {
    button.disabled = false;
  }
}

place.querySelector("[data-start]").addEventListener("click", (event) => start(event.currentTarget));
look();

// Reads the parcel's label with this phone and draws what was read clean, to be held before the door's scanner. Nothing
// that is read leaves the phone: a code counts only when the door's own scanner has seen it.
import { GS, PRINTED, longest, readPhoto as readCodes, watch } from "./labels.js";
import { drawQr } from "./qr.js";
import { load } from "./reader.js";

const PARCELS = JSON.parse(document.getElementById("label").dataset.forms) // plain codes, as gateway/domain/delivery has them
  .map(([kind, form]) => [kind, new RegExp(`^(?:${form})$`)]);
const KINDS = [ // digits in brackets must hold GS1's check digit
  ["sscc", /^\x1d?00(\d{18})|^HTTPS?:\/\/[^?#]+\/00\/(\d{18})(?=[?#]|$)|^(\d{18})$/],
  ...PARCELS.map(([kind]) => [kind, null]),
  ["gtin", /^\x1d0[12](\d{14})|^HTTPS?:\/\/[^?#]+\/01\/(\d{14})(?=[/?#]|$)/],
  ["gs1", /^\x1d/],
  ["link", /^HTTPS?:/],
  ["exact", /^/],
];
const DOUBTFUL = ["gtin", "link"]; // names goods or a page: comes last, and is shown only when the courier says so

const LIVE = Boolean(navigator.mediaDevices?.getUserMedia); // a page that came in clear has no camera, only photos

const one = (id) => document.getElementById(id);
const video = document.querySelector("#aim video");
let looking = null; // the attempt that runs; what an older one still brings is dropped
let stream = null;

function say(name) {
  for (const text of document.querySelectorAll("[data-said]")) text.hidden = text.dataset.said !== name;
}

// ---- reading --------------------------------------------------------------------------------------------------------

function checks(digits) {
  return [...digits].reverse().reduce((sum, digit, place) => sum + digit * (place % 2 ? 3 : 1), 0) % 10 === 0;
}

function kindOf(code) {
  const plain = code.replaceAll(" ", "").toUpperCase();
  const usps = plain.replaceAll(GS, ""); // the one carrier here whose label is GS1's
  const known = PARCELS.find(([kind, form]) => form.test(kind === "usps" ? usps : plain));
  const fits = ([kind, form]) => (form ? form.exec(plain)?.slice(1).every((digits) => digits === undefined || checks(digits))
    : kind === known?.[0]);
  return KINDS.find(fits)[0];
}

// ---- the camera -----------------------------------------------------------------------------------------------------

function stop() {
  looking = null;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
  one("torch").setAttribute("aria-pressed", "false");
  for (const id of ["aim", "torch", "halt"]) one(id).hidden = true;
  one("read").hidden = !LIVE;
}

function clear() {
  stop();
  for (const id of ["choices", "parcel", "which"]) one(id).hidden = true;
  delete document.body.dataset.shows;
}

function begin() {
  clear();
  say("loading");
  looking = {};
  return looking;
}

async function open(mine) {
  const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } };
  const opened = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  if (looking !== mine) { for (const track of opened.getTracks()) track.stop(); return; }
  stream = opened;
  video.srcObject = opened;
  await video.play();
  const [track] = opened.getVideoTracks();
  one("torch").hidden = !track.getCapabilities?.().torch;
}

async function readLive() {
  const mine = begin();
  for (const id of ["read", "halt"]) one(id).hidden = id === "read";
  one("halt").focus();
  let zxing;
  try { zxing = await load(); } catch { end(mine, "failed"); return; }
  try { await open(mine); } catch { end(mine, "nocamera"); return; }
  if (looking !== mine) return;
  say("looking");
  one("aim").hidden = false;
  one("halt").scrollIntoView({ block: "nearest" }); // it stands below the picture
  const codes = await watch(zxing, video, () => looking === mine, () => say("nothing"));
  if (looking !== mine) return;
  stop();
  offer(codes);
}

async function readPhoto() {
  const [file] = one("photo").files;
  if (!file) return;
  const mine = begin();
  one("photo").value = ""; // the same photo may be chosen again
  let zxing;
  try { zxing = await load(); } catch { end(mine, "failed"); return; }
  const codes = await readCodes(zxing, file);
  if (looking !== mine) return;
  stop();
  if (codes.length) offer(codes); else say("unread");
}

function end(mine, why) {
  if (looking !== mine) return;
  stop();
  say(why);
  if (why === "nocamera") one("photo").focus(); else one("read").focus();
}

// ---- what was read --------------------------------------------------------------------------------------------------

function offer(codes) {
  const known = codes.map((code) => [code, kindOf(code)]);
  const place = ([, kind]) => KINDS.findIndex(([name]) => name === kind) + (DOUBTFUL.includes(kind) ? KINDS.length : 0);
  known.sort((left, right) => place(left) - place(right));
  if (known.length === 1 && !DOUBTFUL.includes(known[0][1])) { show(...known[0]); return; }
  say("several");
  one("choices").replaceChildren(...known.map(([code, kind]) => {
    const choice = document.createElement("li");
    const button = document.createElement("button");
    button.className = "quiet";
    button.append(named(kind), written(code));
    button.onclick = () => show(code, kind);
    choice.append(button);
    return choice;
  }));
  one("choices").hidden = false;
  one("choices").querySelector("button").focus();
}

function named(kind) {
  return document.querySelector(`template[data-kind="${kind}"]`).content.textContent;
}

function written(code) {
  const text = document.createElement("bdi");
  text.textContent = code.replaceAll(GS, " ").trim();
  return text;
}

function show(code, kind) {
  say("found");
  drawQr(document.querySelector("#parcel canvas"), code);
  document.querySelector("#parcel b").textContent = named(kind);
  document.querySelector("#parcel bdi").replaceWith(written(code));
  one("choices").hidden = true;
  one("parcel").hidden = false;
  one("which").hidden = location.hash.length < 2;
  turnTo("parcel");
  one("parcel").focus();
}

function turnTo(which) {
  document.body.dataset.shows = which;
  for (const button of one("which").querySelectorAll("button")) button.setAttribute("aria-pressed", button.value === which);
  one(which === "parcel" ? "parcel" : "code").scrollIntoView({ block: "nearest" });
}

function drawTyped() {
  const code = one("typed").value.trim();
  if (!PRINTED.test(code) || code.length > longest(code)) { one("typed").focus(); return; }
  clear();
  show(code, kindOf(code));
}

// ---- who asks -------------------------------------------------------------------------------------------------------

one("read").onclick = readLive;
one("photo").onchange = readPhoto;
one("draw").onclick = drawTyped;
one("typed").onkeydown = (event) => { if (event.key === "Enter") drawTyped(); };
one("halt").onclick = () => { stop(); say(""); one("read").focus(); };
one("which").onclick = (event) => { if (event.target.value) turnTo(event.target.value); };
one("torch").onclick = async () => {
  const on = one("torch").getAttribute("aria-pressed") !== "true";
  await stream?.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] });
  one("torch").setAttribute("aria-pressed", on);
};

function leave() {
  if (looking) { stop(); say(""); }
}
document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); });
addEventListener("pagehide", leave);

// The door has heard one of the two, so the other is shown. Where it waits for no code, no camera is needed.
let missing;
new MutationObserver(() => {
  const now = document.querySelector("[data-turn]")?.dataset.missing;
  if (now === "courier" && now !== missing) leave();
  if (now && now !== missing) turnTo(now);
  missing = now;
  if (one("label").hidden) leave();
}).observe(document.querySelector("main"), { subtree: true, childList: true, attributeFilter: ["hidden"] });

one("parcel").after(one("code"));
document.querySelector(".photo").classList.toggle("first", !LIVE);
stop();

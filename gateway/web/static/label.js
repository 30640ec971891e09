// Reads the parcel's label with this phone and draws what was read clean, to be held before the door's scanner. Nothing
// that is read leaves the phone: a code counts only when the door's own scanner has seen it.
import { drawQr } from "./qr.js";
import { LARGEST, load } from "./reader.js";

const FORMATS = ["Code128", "Code39", "Code93", "Codabar", "ITF", "QRCode", "DataMatrix", "Aztec", "PDF417"];
const ANGLES = [0, 45, 22, -22]; // degrees by which the picture is turned: a bar code is read only when nearly straight
const ROUND = 2 * ANGLES.length; // pictures that are looked at after the first find: all codes of a label, each angle twice
const AIM = { width: 0.9, height: 0.8 }; // of the picture on the screen: what the frame in label.css shows
const SHAPE = 4 / 3; // of the picture on the screen
const PAUSE = 60; // milliseconds between two pictures
const HINT = 6000; // milliseconds without any find until that is said
const GS = "\x1d"; // GS1's separator; a scanner writes it for FNC1, which also begins a GS1 code
// What the door takes (gateway/domain/delivery/barcodes.py): GS1's symbols and links carry addresses and rules.
const PRINTED = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;
const longest = (code) => (code.startsWith(GS) || /^https?:/i.test(code) ? 512 : 128);
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
const paper = document.createElement("canvas");
const pen = paper.getContext("2d", { willReadFrequently: true });
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

// What a scanner would say; null for what the door could not take, and for a courier's code, which is no label.
function saidBy(found) {
  const code = found.contentType === "GS1" ? GS + found.text : found.text;
  return PRINTED.test(code.replaceAll(GS, "")) && code.length <= longest(code) && !/^perron:/i.test(code) ? code : null;
}

async function readAt(zxing, source, part, scale, angle) {
  const turn = (angle * Math.PI) / 180;
  const [cos, sin] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
  const [width, height] = [part.width * scale, part.height * scale];
  paper.width = Math.ceil(width * cos + height * sin);
  paper.height = Math.ceil(width * sin + height * cos);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, paper.width, paper.height);
  pen.translate(paper.width / 2, paper.height / 2);
  pen.rotate(turn);
  pen.drawImage(source, part.x, part.y, part.width, part.height, -width / 2, -height / 2, width, height);
  const picture = pen.getImageData(0, 0, paper.width, paper.height);
  const options = { formats: FORMATS, textMode: "Plain", tryInvert: false, maxNumberOfSymbols: 8 };
  const found = await zxing.readBarcodes(picture, options);
  return [...new Set(found.map(saidBy).filter((code) => code !== null))];
}

function aimed() {
  const width = Math.min(video.videoWidth, video.videoHeight * SHAPE);
  const part = { width: width * AIM.width, height: (width / SHAPE) * AIM.height };
  return { ...part, x: (video.videoWidth - part.width) / 2, y: (video.videoHeight - part.height) / 2 };
}

async function watch(zxing, mine) {
  const times = new Map(); // how often each code was seen
  const begun = performance.now();
  let last = Infinity;
  for (let picture = 0; looking === mine; picture += 1) {
    const codes = video.videoWidth ? await readAt(zxing, video, aimed(), 1, ANGLES[picture % ANGLES.length]) : [];
    if (codes.length && last === Infinity) last = picture + ROUND;
    for (const code of codes) times.set(code, (times.get(code) ?? 0) + 1);
    if (picture === last) {
      const sure = [...times.keys()].filter((code) => times.get(code) > 1); // once may be misread
      if (sure.length) return sure;
      times.clear();
      last = Infinity;
    }
    if (times.size === 0 && performance.now() - begun > HINT) say("nothing");
    await new Promise((next) => { setTimeout(next, PAUSE); });
  }
  return [];
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
  const codes = await watch(zxing, mine);
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
  const photo = await createImageBitmap(file).catch(() => null); // no picture at all
  const codes = new Set();
  if (photo) {
    const part = { x: 0, y: 0, width: photo.width, height: photo.height };
    const scale = Math.min(1, LARGEST / Math.max(photo.width, photo.height));
    for (const angle of ANGLES) for (const code of await readAt(zxing, photo, part, scale, angle)) codes.add(code);
  }
  if (looking !== mine) return;
  stop();
  if (codes.size) offer([...codes]); else say("unread");
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

// Reads a label with this phone, by its camera or from a photo. The page has #aim, #read, #halt and #photo, a text with
// data-said for each word that is said here, and #torch if it offers the phone's light.
import { readPhoto, watch } from "./labels.js";
import { load } from "./reader.js";

export const LIVE = Boolean(navigator.mediaDevices?.getUserMedia); // a page that came in clear has no camera, only photos
export const one = (id) => document.getElementById(id);

const video = document.querySelector("#aim video");
const torch = one("torch");
let page = null; // what the page does with it
let looking = null; // the attempt that runs; what an older one still brings is dropped
let stream = null;

export function say(name) {
  for (const text of document.querySelectorAll("[data-said]")) text.hidden = text.dataset.said !== name;
}

export function stop() {
  looking = null;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
  torch?.setAttribute("aria-pressed", "false");
  for (const id of ["aim", "torch", "halt"]) if (one(id)) one(id).hidden = true;
  one("read").hidden = !LIVE;
}

export function leave() {
  if (looking) { stop(); say(""); }
}

function begin() {
  stop();
  page.begins?.();
  say("loading");
  looking = {};
  return looking;
}

function end(mine, why) {
  if (looking !== mine) return;
  stop();
  say(why);
  page.fails(why);
}

function finish(mine, codes) {
  if (looking !== mine) return;
  stop();
  if (codes.length) page.finds(codes); else say("unread");
}

async function open(mine) {
  const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } };
  const opened = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  if (looking !== mine) { for (const track of opened.getTracks()) track.stop(); return; }
  stream = opened;
  video.srcObject = opened;
  await video.play();
  if (torch) torch.hidden = !opened.getVideoTracks()[0].getCapabilities?.().torch;
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
  finish(mine, await watch(zxing, video, () => looking === mine, () => say("nothing")));
}

async function readPicture() {
  const [file] = one("photo").files;
  if (!file) return;
  const mine = begin();
  one("photo").value = ""; // the same photo may be chosen again
  let zxing;
  try { zxing = await load(); } catch { end(mine, "failed"); return; }
  finish(mine, await readPhoto(zxing, file));
}

async function light() {
  const on = torch.getAttribute("aria-pressed") !== "true";
  await stream?.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] });
  torch.setAttribute("aria-pressed", on);
}

// `finds` gets the codes of a label, `fails` the word that says why there are none; `begins` is called before each attempt.
export function readLabels({ finds, fails, begins }) {
  page = { finds, fails, begins };
  one("read").onclick = readLive;
  one("photo").onchange = readPicture;
  one("halt").onclick = () => { stop(); say(""); one("read").focus(); };
  if (torch) torch.onclick = light;
  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); });
  addEventListener("pagehide", leave);
  stop();
  readPicture(); // one that was chosen before this script ran
}

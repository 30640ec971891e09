// Reads a label with this phone and sends what it says with the form that takes it: at a reception the scan itself is the
// act. A label has several codes; the box knows which one is the parcel's.
import { readPhoto, watch } from "./labels.js";
import { load } from "./reader.js";

const form = document.querySelector("form[data-scan]");
const field = form.querySelector("input[name=code]");
const video = document.querySelector("#aim video");
const one = (id) => document.getElementById(id);
const LIVE = Boolean(navigator.mediaDevices?.getUserMedia); // a page that came in clear has no camera, only photos
let looking = null; // the attempt that runs; what an older one still brings is dropped
let stream = null;

function say(name) {
  for (const text of document.querySelectorAll("[data-said]")) text.hidden = text.dataset.said !== name;
}

function stop() {
  looking = null;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
  for (const id of ["aim", "halt"]) one(id).hidden = true;
  one("read").hidden = !LIVE;
}

function begin() {
  stop();
  say("loading");
  looking = {};
  return looking;
}

function end(mine, why) {
  if (looking !== mine) return;
  stop();
  say(why);
  field.focus();
}

function send(codes) {
  const [first, ...others] = codes;
  field.value = first;
  for (const code of others) {
    const more = document.createElement("input");
    Object.assign(more, { type: "hidden", name: "code", value: code });
    form.append(more);
  }
  say("found");
  form.requestSubmit();
}

async function open(mine) {
  const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } };
  const opened = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  if (looking !== mine) { for (const track of opened.getTracks()) track.stop(); return; }
  stream = opened;
  video.srcObject = opened;
  await video.play();
}

async function readLive() {
  const mine = begin();
  for (const id of ["read", "halt"]) one(id).hidden = id === "read";
  let zxing;
  try { zxing = await load(); } catch { end(mine, "failed"); return; }
  try { await open(mine); } catch { end(mine, "nocamera"); return; }
  if (looking !== mine) return;
  say("looking");
  one("aim").hidden = false;
  one("halt").scrollIntoView({ block: "nearest" });
  const codes = await watch(zxing, video, () => looking === mine, () => say("nothing"));
  if (looking !== mine) return;
  stop();
  send(codes);
}

async function readPicture() {
  const [file] = one("photo").files;
  if (!file) return;
  const mine = begin();
  one("photo").value = ""; // the same photo may be chosen again
  let zxing;
  try { zxing = await load(); } catch { end(mine, "failed"); return; }
  const codes = await readPhoto(zxing, file);
  if (looking !== mine) return;
  stop();
  if (codes.length) send(codes); else say("unread");
}

one("read").onclick = readLive;
one("halt").onclick = () => { stop(); say(""); one("read").focus(); };
one("photo").onchange = readPicture;
document.addEventListener("visibilitychange", () => { if (document.hidden && looking) { stop(); say(""); } });
addEventListener("pagehide", stop);
stop();

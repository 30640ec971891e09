// The courier's page: his code as a QR, drawn here out of the link's fragment, which no server ever receives; go or no in
// colour, picture, words and sound.
import { join } from "./link.js";
import { hear, start } from "./page.js";
import { drawQr } from "./qr.js";

const SOUNDS = { go: [660, 880], no: [220, 180], wait: [440], inside: [550], away: [550], done: [660, 880, 990], other: [440] };
let audio = null; // made at the first press: before a touch browsers play nothing
let loud = false;
let turn = null;

function beep(tones) {
  if (!loud) return;
  tones.forEach((tone, place) => {
    const oscillator = audio.createOscillator();
    const gain = audio.createGain();
    const at = audio.currentTime + place * 0.18;
    oscillator.frequency.value = tone;
    gain.gain.setValueAtTime(0.25, at);
    gain.gain.setValueAtTime(0, at + 0.15);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(at);
    oscillator.stop(at + 0.16);
  });
}

function drawCode() {
  const code = decodeURIComponent(location.hash.slice(1));
  const known = code.length > 0 && code.length < 200;
  document.getElementById("nocode").hidden = known;
  if (known) drawQr(document.querySelector("#code canvas"), code);
  // A fragment travels with links and over the answer to a form, and reaches no server.
  for (const link of document.querySelectorAll("a.carries")) link.hash = location.hash;
  carryCode();
}

function carryCode() {
  for (const form of document.forms) form.action = `${form.action.split("#")[0]}${location.hash}`;
}

function look() {
  const now = document.querySelector("[data-turn]")?.dataset.turn;
  const asked = ["show", "other", "early"].includes(now);
  document.getElementById("code").hidden = !(asked && location.hash.length > 1);
  carryCode(); // a new part may have a form
  document.getElementById("label").hidden = !(asked || now === "no");
  if (now === turn) return;
  if (turn !== null && SOUNDS[now]) beep(SOUNDS[now]);
  turn = now;
  if (audio) navigator.vibrate?.(now === "no" ? [300, 100, 300] : 200); // before a touch browsers refuse it
}

document.getElementById("sound").addEventListener("click", (event) => {
  audio = audio ?? new AudioContext();
  loud = !loud;
  event.target.textContent = loud ? event.target.dataset.on : event.target.dataset.off;
  beep([660]);
});
addEventListener("hashchange", () => { drawCode(); look(); });

const ends = new MessageChannel(); // one link, one tab: no worker shares it
ends.port1.onmessage = (event) => { hear(event.data); look(); };
join(ends.port2, document.body.dataset.feed);
ends.port1.postMessage({ want: [document.querySelector("[data-part]").dataset.part] });
start();
drawCode();
look();

// Reads the parcel's label with this phone and draws what was read clean, to be held before the door's scanner. Nothing
// that is read leaves the phone: a code counts only when the door's own scanner has seen it.
import { LIVE, leave, one, readLabels, say, stop } from "./label_camera.js";
import { GS, PRINTED, longest } from "./labels.js";
import { drawQr } from "./qr.js";

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

// ---- kinds of codes -------------------------------------------------------------------------------------------------

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

// ---- what was read --------------------------------------------------------------------------------------------------

function clear() {
  for (const id of ["choices", "parcel", "which"]) one(id).hidden = true;
  delete document.body.dataset.shows;
}

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
  stop();
  clear();
  show(code, kindOf(code));
}

// ---- who asks -------------------------------------------------------------------------------------------------------

readLabels({
  finds: offer,
  fails: (why) => one(why === "nocamera" ? "photo" : "read").focus(),
  begins: clear,
});
one("draw").onclick = drawTyped;
one("typed").onkeydown = (event) => { if (event.key === "Enter") drawTyped(); };
one("which").onclick = (event) => { if (event.target.value) turnTo(event.target.value); };

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

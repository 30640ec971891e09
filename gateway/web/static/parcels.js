// Reads a parcel's number, or the link of an order, from a photo of a label or of a QR code. The photo stays in this browser;
// what was read is put into the form, where it is seen before it is sent.
import { readPhoto } from "./labels.js";
import { load } from "./reader.js";

const photo = document.getElementById("parcel-photo");
const status = document.getElementById("parcel-read");
const choices = document.getElementById("parcel-choices");
const field = document.querySelector("textarea[name=number]");

function say(name) {
  status.textContent = document.getElementById(`parcel-${name}`).content.textContent;
}

// A photo of a label shows several codes: whoever took it knows which one is the parcel's number.
function offer(codes) {
  choices.replaceChildren(...codes.map((code) => {
    const choice = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    const text = document.createElement("bdi");
    text.textContent = code.trim();
    button.append(text);
    button.onclick = () => take(code);
    choice.append(button);
    return choice;
  }));
  choices.hidden = false;
  choices.querySelector("button").focus();
  say("several");
}

function take(code) {
  field.value = code;
  choices.hidden = true;
  field.focus();
  say("found");
}

photo.closest("label").hidden = false; // without a script there is no reader: the number is typed
photo.addEventListener("change", async () => {
  const [file] = photo.files;
  photo.value = "";
  if (!file) return;
  choices.hidden = true;
  say("reading");
  const zxing = await load().catch(() => null);
  const codes = zxing ? [...await readPhoto(zxing, file)] : [];
  if (codes.length > 1) offer(codes);
  else if (codes.length) take(codes[0]);
  else say("none");
});

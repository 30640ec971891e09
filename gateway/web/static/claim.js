// Reads the code of a hub's claim from a photo of its QR. The photo stays in this browser; what was read is put into the
// form, where it is seen before it is sent.
import { LARGEST, load } from "./reader.js";

const photo = document.getElementById("claim-photo");
const said = document.getElementById("claim-said");
const field = document.querySelector("textarea[name=code]");

function say(name) {
  said.textContent = document.getElementById(`claim-${name}`).content.textContent;
}

async function read(file) {
  const [zxing, picture] = await Promise.all([load(), createImageBitmap(file)]);
  const scale = Math.min(1, LARGEST / Math.max(picture.width, picture.height));
  const paper = document.createElement("canvas");
  paper.width = Math.max(1, Math.round(picture.width * scale));
  paper.height = Math.max(1, Math.round(picture.height * scale));
  const pen = paper.getContext("2d", { willReadFrequently: true });
  pen.drawImage(picture, 0, 0, paper.width, paper.height);
  const pixels = pen.getImageData(0, 0, paper.width, paper.height);
  const found = await zxing.readBarcodes(pixels, { formats: ["QRCode"], textMode: "Plain", maxNumberOfSymbols: 4 });
  return found.map((one) => one.text).find((text) => text.includes("/join#claim-"));
}

photo.closest("label").hidden = false; // without a script there is no reader: the code is pasted
photo.addEventListener("change", async () => {
  const [file] = photo.files;
  photo.value = "";
  if (!file) return;
  const text = await read(file).catch(() => undefined);
  if (text) field.value = text;
  say(text ? "read" : "none");
});

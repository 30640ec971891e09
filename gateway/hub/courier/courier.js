// Draws the courier's code, which stands behind the # of the link and is sent nowhere.
import { drawQr } from "./qr.js";

const code = location.hash.slice(1).toLowerCase();
const canvas = document.getElementById("code");
if (canvas && /^[a-z2-7]{26}$/.test(code)) {
  drawQr(canvas, `perron:${code}`);
  canvas.hidden = false;
  for (const form of document.querySelectorAll("form.paste")) form.hidden = true;
}

// Draws a text as a QR that a scanner reads off a screen.
import { qrcode } from "./qrcode-2.0.4.js";

export function drawQr(canvas, text) {
  const qr = qrcode(0, "M");
  qr.addData(String.fromCharCode(...new TextEncoder().encode(text))); // it takes a byte a character
  qr.make();
  const cells = qr.getModuleCount() + 8; // four cells of quiet zone on each side (ISO/IEC 18004)
  const size = Math.floor(canvas.width / cells);
  const pen = canvas.getContext("2d");
  const edge = Math.floor((canvas.width - size * qr.getModuleCount()) / 2);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#000";
  for (let row = 0; row < qr.getModuleCount(); row += 1) {
    for (let column = 0; column < qr.getModuleCount(); column += 1) {
      if (qr.isDark(row, column)) pen.fillRect(edge + column * size, edge + row * size, size, size);
    }
  }
}

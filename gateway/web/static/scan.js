// Reads a label with this phone and sends what it says with the form that takes it: at a reception the scan itself is the
// act. A label has several codes; the box knows which one is the parcel's.
import { readLabels, say } from "./label_camera.js";

const form = document.querySelector("form[data-scan]");
const field = form.querySelector("input[name=code]");

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

readLabels({ finds: send, fails: () => field.focus() });

// A supervisor's browser signs in: it makes its key, keeps it, and sends the public half only.
import { makeKey } from "./supervisor_keys.js";

const form = document.getElementById("enrol");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    form.elements.key.value = JSON.stringify(await makeKey());
  } catch {
    document.getElementById("trouble").hidden = false;
    return;
  }
  form.submit();
});
if (form) form.querySelector("button").disabled = false; // pressed earlier, it would send the form without a key

// The form of a device: its fields follow the chosen brand, and a trial shows its result beside them, with all that was
// typed still there. Without a script both are plain pages.
const form = document.querySelector("form.fields:has([name=kind])");

const controls = (place) => new Map([...place.querySelectorAll(".field :is(input, select, textarea)")].map((one) => [one.name, one]));

// The words of a field are those of the brand; a field that its devices do not have is hidden, and empty.
async function followBrand() {
  const address = new URL(location.pathname, location.href);
  for (const name of ["kind", "vendor"]) address.searchParams.set(name, form.elements[name].value);
  const shown = new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
  const fresh = shown.querySelector("form.fields:has([name=kind])");
  if (!fresh) return;
  const theirs = controls(fresh);
  for (const [name, control] of controls(form)) {
    const field = control.closest(".field");
    const other = theirs.get(name);
    field.hidden = other === undefined;
    if (!other) { control.value = ""; continue; }
    field.querySelector("label").textContent = other.closest(".field").querySelector("label").textContent;
    const hint = other.closest(".field").querySelector(".small");
    field.querySelector(".small")?.remove();
    if (hint) field.querySelector("label").after(hint);
    control.placeholder = other.placeholder ?? "";
  }
  document.getElementById("brand-help").textContent = shown.getElementById("brand-help").textContent;
}

async function tryIt(button) {
  const place = document.getElementById("trial");
  const body = new URLSearchParams(new FormData(form, button)); // before it is disabled, or its value is left out
  place.textContent = button.dataset.busy;
  button.disabled = true;
  try {
    const shown = new DOMParser().parseFromString(await (await fetch(form.action, { method: "POST", body })).text(), "text/html");
    const wrong = [...shown.querySelectorAll("[role=alert], [id^=wrong-]")];
    place.replaceChildren(...(wrong.length ? wrong : shown.getElementById("trial").childNodes));
  } finally {
    button.disabled = false;
  }
}

form?.addEventListener("change", (event) => { if (event.target.name === "vendor") followBrand(); });
form?.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "try") return;
  event.preventDefault();
  tryIt(event.submitter);
});

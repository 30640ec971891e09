// A button that shows what is typed as a password, and hides it again. Without a script there is none.
for (const button of document.querySelectorAll(".secret button")) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  button.hidden = false;
  button.addEventListener("click", () => {
    const shows = input.type === "password";
    input.type = shows ? "text" : "password";
    button.setAttribute("aria-pressed", String(shows));
    input.focus();
  });
  input.form.addEventListener("submit", () => { input.type = "password"; }); // a browser keeps no typed text of it
}

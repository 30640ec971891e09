// The QR code of a new box carries its code behind "#", which no browser sends to a server. It is put into the form, and
// leaves the address bar: neither the history nor a shared address keeps it.
const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (location.hash) history.replaceState(null, "", location.pathname);

if (code) {
  document.querySelector("[name=code]").value = code;
  document.getElementById("code").hidden = true;
  document.getElementById("read").hidden = false;
  document.querySelector("[name=name]").focus();
}

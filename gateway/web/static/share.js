// Two buttons beside a link: copy it, or hand it to another app of this device. Without a script there is the text.
const link = document.getElementById("handed-link");
const copy = document.getElementById("copy-link");
const share = document.getElementById("share-link");

copy.hidden = false;
copy.addEventListener("click", async () => {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(link.textContent);
  } else { // a page without TLS has no clipboard of its own
    getSelection().selectAllChildren(link);
    document.execCommand("copy");
  }
  copy.textContent = copy.dataset.done;
});

share.hidden = !navigator.share;
share.addEventListener("click", () => navigator.share({ url: link.textContent }).catch(() => {})); // the person may change their mind

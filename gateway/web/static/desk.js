// The page of a receiver, or of a courier at a reception: it follows the parcels over a connection of its own.
import { join } from "./link.js";
import { hear, start } from "./page.js";

const ends = new MessageChannel(); // one page of one person: no worker shares it
ends.port1.onmessage = (event) => hear(event.data);
join(ends.port2, document.body.dataset.feed);
ends.port1.postMessage({ want: [...document.querySelectorAll("[data-part]")].map((place) => place.dataset.part) });
start();

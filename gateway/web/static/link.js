// The browser's one live connection to the box, whatever the number of tabs: a SharedWorker, or the page itself where
// there is none. Tabs say which parts they show; the box sends those that changed, and a beat every second.
const tabs = new Map(); // a tab's port -> the parts that it shows
const parts = new Map(); // the newest of each
let socket = null;
let path = "/feed";
let retry = 250;
let beat = 0;

function wanted() {
  return [...new Set([...tabs.values()].flat())].sort();
}

function tell(message) {
  for (const port of tabs.keys()) port.postMessage(message);
}

function want() {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ want: wanted() }));
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}${path}`);
  socket.onopen = () => { retry = 250; want(); };
  socket.onmessage = (event) => {
    const said = JSON.parse(event.data);
    if (said.beat !== undefined) beat = Date.now();
    for (const [name, html] of Object.entries(said.parts ?? {})) parts.set(name, html);
    tell(said);
  };
  socket.onclose = () => {
    parts.clear();
    tell({ down: true });
    setTimeout(connect, retry * (0.75 + Math.random() / 2));
    retry = Math.min(retry * 2, 8000);
  };
}

// A connection over which nothing comes any more looks open for minutes: it is given up.
setInterval(() => {
  if (beat && Date.now() - beat > 3000 && socket?.readyState === WebSocket.OPEN) { beat = 0; tell({ down: true }); socket.close(); }
}, 500);

export function join(port, feed = "/feed") {
  path = feed;
  tabs.set(port, []);
  port.onmessage = (event) => {
    if (event.data.leave) { tabs.delete(port); want(); return; }
    tabs.set(port, event.data.want);
    const known = Object.fromEntries(event.data.want.filter((name) => parts.has(name)).map((name) => [name, parts.get(name)]));
    port.postMessage({ parts: known });
    want();
  };
  if (socket === null) connect();
}

if (typeof SharedWorkerGlobalScope !== "undefined" && self instanceof SharedWorkerGlobalScope) {
  self.onconnect = (event) => { join(event.ports[0]); event.ports[0].start(); };
}

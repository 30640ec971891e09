// A retailer on the packed SDK: HUB PROXY NOBODY. PROXY loses the first answer to an announcement; at NOBODY nothing answers.
// It prints what the test compares with what the hub keeps.
import { setTimeout as sleep } from "node:timers/promises";

import { ApiError, HubUnreachableError, items, Perron, SigningKey, unwrap, type Schemas } from "perron-sdk";

const [url = "", proxy = "", nobody = ""] = process.argv.slice(2);

async function failure(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => undefined,
    (error: unknown) => error,
  );
}

const sandbox = await unwrap(new Perron({ url }).api.POST("/v1/sandbox"));
const hub = new Perron({ url, apiKey: sandbox.api_key });
const start = Date.now() + 20 * 3_600_000;
const window = { start: new Date(start).toISOString(), end: new Date(start + 7_200_000).toISOString() };
const order: Schemas["NewDeliveryOrder"] = { entrance: "garage", place: "shelf", carrier: "DHL", window, parcels: ["SANDBOX-WAITS"] };
const { brand, connection, home } = sandbox;

const first = await SigningKey.generate(`${brand}-1`);
const key = await SigningKey.fromJwk(first.kid, await first.toJwk());
const proof = await key.prove(brand, url);
await unwrap(hub.api.POST("/v1/brands/{brand}/keys", { params: { path: { brand } }, body: { kid: key.kid, x: key.x, proof } }));
let onEmpty = (): void => {};
const isEmpty = new Promise<void>((resolve) => (onEmpty = resolve));
const pause = async (ms: number): Promise<void> => (onEmpty(), sleep(ms));
const following = new Perron({ url, apiKey: sandbox.api_key, sleep: pause }).follow();
const firstEvent = following.next();
await isEmpty; // it has seen that there is no event
const place = { brand, home, orderId: "signed-1" };
const wide = { ...order, entrances: ["garage"], dimensions: { length: 400, width: 300, height: 200 } };
const token = await key.signOrder(wide, place);
const signed = await unwrap(hub.api.POST("/v1/deliveries", { body: { connection, token } }));
const path = { delivery_id: signed.id };
const states: string[] = [(await firstEvent).value.type];
const update = { token: await key.signOrder({ ...wide, info: { note: "Fragile" } }, { ...place, version: 2 }, "update") };
const cancel = { token: await key.signCancel({ ...place, version: 3 }) };
for await (const event of following) {
  if (event.type !== "delivery.changed") {
    continue;
  }
  states.push(event.data.state);
  if (event.data.state === "cancelled") {
    break;
  }
  const { version, answered } = event.data;
  if (version === 1 && answered === 1) {
    await unwrap(hub.api.PATCH("/v1/deliveries/{delivery_id}", { params: { path }, body: update }));
  } else if (version === 2 && answered === 2) {
    await unwrap(hub.api.POST("/v1/deliveries/{delivery_id}/cancel", { params: { path }, body: cancel }));
  }
}

const waits: number[] = [];
const world = { sleep: async (ms: number) => waits.push(ms), random: () => 0.5 };
const unlucky = new Perron({ url: proxy, apiKey: sandbox.api_key, ...world });
const announced = await unwrap(
  unlucky.api.POST("/v1/deliveries", { body: { connection, delivery: { ...order, name: "once", parcels: ["B-1"] } } }),
);
const named = await unwrap(hub.api.GET("/v1/deliveries", { params: { query: { name: "once" } } }));

const seqs: number[] = [];
for await (const event of items((cursor) => unwrap(hub.api.GET("/v1/events", { params: { query: { limit: 2, ...cursor } } })))) {
  seqs.push(event.seq);
}

const missing = await failure(unwrap(hub.api.GET("/v1/deliveries/{delivery_id}", { params: { path: { delivery_id: "dlv-none" } } })));
const unreachable = await failure(unwrap(new Perron({ url: nobody, ...world, retries: { tries: 3 } }).api.GET("/v1/carriers")));
const insecure = await failure((async () => new Perron({ url: "http://hub.example" }))());
console.log(
  JSON.stringify({
    signed: signed.id,
    hub_signed: signed.hub_signed,
    needs: signed.needs,
    states,
    announced: announced.id,
    named: named.data.map((delivery) => delivery.id),
    waits,
    seqs,
    missing: missing instanceof ApiError && [missing.status, missing.code, missing.requestId?.startsWith("req-")],
    unreachable: unreachable instanceof HubUnreachableError,
    insecure: insecure instanceof TypeError,
  }),
);

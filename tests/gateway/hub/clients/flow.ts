// The whole way of a retailer with types of openapi-typescript and the client of openapi-fetch: HUB RECEIVER NAME.
// Prints what the test compares with what the hub keeps.
import createClient from "openapi-fetch";
import { setTimeout as sleep } from "node:timers/promises";
import type { components, paths } from "./schema.js";

type Delivery = components["schemas"]["Delivery"];

const [hub = "", receiver = "", name = ""] = process.argv.slice(2);

/** The answer's data; an answer that is a problem ends the program. */
function good<Data, Failure>(answer: { data?: Data; error?: Failure; response: Response }): Data {
  if (!answer.response.ok || answer.data === undefined) {
    throw new Error(`${answer.response.status} ${answer.response.url} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

/** What `read` returns once it fits. */
async function until<Value>(read: () => Promise<Value>, fits: (value: Value) => boolean): Promise<Value> {
  for (let tries = 0; tries < 300; tries += 1) {
    const value = await read();
    if (fits(value)) {
      return value;
    }
    await sleep(100);
  }
  throw new Error(`did not come: ${String(fits)}`);
}

const sandbox = good(await createClient<paths>({ baseUrl: hub }).POST("/v1/sandbox"));
const client = createClient<paths>({ baseUrl: hub, headers: { Authorization: `Bearer ${sandbox.api_key}` } });

const brand = good(await client.POST("/v1/brands", { body: { id: name, name: `Maison ${name}` } }));
const asked = good(
  await client.POST("/v1/connections", { body: { brand: brand.id, asked: { carriers: ["Colissimo"], hub_signed: true } } }),
);
const consent = await fetch(asked.consent_url, { method: "POST", body: new URLSearchParams({ code: sandbox.support_code }) });
if (!consent.ok) {
  throw new Error(`the consent page answers ${consent.status}`);
}
const connection = await until(
  async () => good(await client.GET("/v1/connections/{connection}", { params: { path: { connection: asked.id } } })),
  (one) => one.state === "granted",
);

const endpoint = good(await client.POST("/v1/webhook_endpoints", { body: { url: `${receiver}/ok/${name}` } }));
const atEndpoint = { params: { path: { endpoint_id: endpoint.id } } };
await until(
  async () => good(await client.GET("/v1/webhook_endpoints/{endpoint_id}", atEndpoint)),
  (one) => one.verified,
);

const tomorrow = Date.now() + 24 * 3_600_000;
const hours = (from: number, to: number) => ({
  start: new Date(tomorrow + from * 3_600_000).toISOString(),
  end: new Date(tomorrow + to * 3_600_000).toISOString(),
});
const available = good(
  await client.GET("/v1/connections/{connection}/availability", {
    params: { path: { connection: connection.id }, query: { ...hours(0, 2), entrance: "garage", place: "shelf" } },
  }),
);

const read = (id: string) => async (): Promise<Delivery> =>
  good(await client.GET("/v1/deliveries/{delivery_id}", { params: { path: { delivery_id: id } } }));
const promise = { entrance: "garage", place: "shelf", carrier: "Colissimo", window: hours(0, 2) };

const create = () =>
  client.POST("/v1/deliveries", {
    params: { header: { "Idempotency-Key": `${name}-1` } },
    body: { connection: connection.id, delivery: { ...promise, name: `${name}-1` }, metadata: { order: "ORD-4711" } },
  });
const made = good(await create());
const repeated = await create();
const labelled = good(
  await client.PATCH("/v1/deliveries/{delivery_id}", {
    params: { path: { delivery_id: made.id } },
    body: { delivery: { parcels: ["SANDBOX-WAITS"] } },
  }),
);
const scheduled = await until(read(made.id), (one) => one.state === "scheduled" && one.answered === labelled.version);
const changed = good(
  await client.PATCH("/v1/deliveries/{delivery_id}", {
    params: { path: { delivery_id: made.id } },
    body: { delivery: { window: hours(1, 4) } },
  }),
);
await until(read(made.id), (one) => one.answered === changed.version);
good(await client.POST("/v1/deliveries/{delivery_id}/cancel", { params: { path: { delivery_id: made.id } }, body: {} }));
const cancelled = await until(read(made.id), (one) => one.state === "cancelled");

const second = good(
  await client.POST("/v1/deliveries", {
    body: { connection: connection.id, delivery: { ...promise, parcels: ["8L20524752032"] } },
  }),
);
const delivered = await until(read(second.id), (one) => one.state === "delivered");
const proof = await until(
  async () => client.GET("/v1/deliveries/{delivery_id}/proof", { params: { path: { delivery_id: second.id } } }),
  (answer) => answer.response.ok,
);
const timeline = good(
  await client.GET("/v1/deliveries/{delivery_id}/timeline", { params: { path: { delivery_id: second.id } } }),
);

const events: components["schemas"]["Event"][] = [];
for (let cursor: string | undefined; ; ) {
  const page = good(
    await client.GET("/v1/events", { params: { query: cursor === undefined ? { limit: 5 } : { limit: 5, cursor } } }),
  );
  events.push(...page.data);
  if (page.next === null) {
    break;
  }
  cursor = page.next;
}

const log = await until(
  async () => good(await client.GET("/v1/webhook_endpoints/{endpoint_id}/messages", { params: { ...atEndpoint.params, query: { limit: 100 } } })),
  (page) => page.data.length > 0 && page.data.every((one) => one.state === "delivered"),
);
const message = log.data[0];
if (message === undefined) {
  throw new Error("the log is empty");
}
good(
  await client.POST("/v1/webhook_endpoints/{endpoint_id}/messages/{message_id}/replay", {
    params: { path: { endpoint_id: endpoint.id, message_id: message.id } },
  }),
);

const missing = await client.GET("/v1/deliveries/{delivery_id}", { params: { path: { delivery_id: "dlv-none" } } });
console.log(
  JSON.stringify({
    possible: available.possible,
    states: [made.state, scheduled.state, cancelled.state, delivered.state],
    versions: [made.version, labelled.version, changed.version],
    repeated: repeated.data?.id === made.id && repeated.response.headers.get("Idempotent-Replayed") === "true",
    parcels: good(proof).parcels,
    timeline: timeline.data.map((step) => step.state),
    events: events.map((event) => event.seq),
    replayed: message.id,
    problem: missing.error?.code,
  }),
);

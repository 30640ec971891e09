// Announces to a hub whose limit is reached: HUB API_KEY. Prints for how long the client would have waited.
import { ApiError, Perron, unwrap } from "perron-sdk";

const [url = "", apiKey = ""] = process.argv.slice(2);
const waits: number[] = [];
const hub = new Perron({ url, apiKey, retries: { tries: 2 }, sleep: async (ms) => waits.push(ms), random: () => 0 });
try {
  for (;;) {
    await unwrap(hub.api.POST("/v1/brands", { body: { id: `b${crypto.randomUUID().slice(0, 8)}`, name: "Lune" } }));
  }
} catch (error) {
  console.log(JSON.stringify({ code: error instanceof ApiError ? error.code : String(error), waits }));
}

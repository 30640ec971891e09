/** A retailer's client of a Perron hub. The README shows a first delivery. */
export { Perron, unwrap, items, type Answer, type Page, type PerronOptions } from "./client.js";
export { ApiError, HubUnreachableError } from "./errors.js";
export type { Retries } from "./retrying.js";
export { SigningKey, type OrderPlace } from "./signing.js";
export { WebhookVerifier, challengeAnswer, type WebhookBody } from "./webhook.js";
export type { components, operations, paths, webhooks } from "./schema.js";

import type { components } from "./schema.js";

/** The schemas of requests and answers by their names in the hub's OpenAPI document, such as `Schemas["Delivery"]`. */
export type Schemas = components["schemas"];

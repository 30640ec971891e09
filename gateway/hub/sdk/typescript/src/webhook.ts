import { Webhook } from "standardwebhooks";

import type { webhooks } from "./schema.js";

/** What the hub posts to an endpoint; `type` tells which. */
export type WebhookBody = webhooks[keyof webhooks]["post"]["requestBody"]["content"]["application/json"];

/** Verifies the messages to one endpoint. `secret` is the endpoint's, `whsec_...`. */
export class WebhookVerifier {
  readonly #webhook: Webhook;

  constructor(secret: string) {
    if (!secret.startsWith("whsec_")) {
      throw new TypeError("a webhook's secret begins with whsec_");
    }
    this.#webhook = new Webhook(secret);
  }

  /**
   * Return the message of a request. `body` is its bytes or text as it came, before any parsing.
   *
   * It throws if the hub did not sign it, or not within the last five minutes: answer 401.
   */
  read(body: string | Uint8Array, headers: Headers | Readonly<Record<string, string | string[] | undefined>>): WebhookBody {
    const given: Record<string, string> = {};
    for (const [name, value] of headers instanceof Headers ? headers : Object.entries(headers)) {
      if (typeof value === "string") {
        given[name.toLowerCase()] = value;
      }
    }
    return this.#webhook.verify(typeof body === "string" ? body : Buffer.from(body), given) as WebhookBody;
  }
}

/**
 * Return the JSON with which to answer a message that is a challenge; undefined: any answer 2xx will do.
 *
 * A sandbox's endpoint gets one before anything else: the answer proves that the receiver wants the messages.
 */
export function challengeAnswer(message: WebhookBody): string | undefined {
  return message.type === "webhook_endpoint.challenge" ? JSON.stringify({ challenge: message.data.challenge }) : undefined;
}

/**
 * A brand's signing key (Ed25519), and what it signs. Everything signed is a compact JWS (RFC 7515). The hub passes it
 * on byte for byte, and the home verifies it, so nobody in between can make or change an order.
 */
import { CompactSign, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from "jose";

import type { components } from "./schema.js";

type Order = components["schemas"]["NewDeliveryOrder"];

const ALGORITHM = "Ed25519"; // RFC 9864
const LIFETIME_S = 3_600;
const MAX_LIFETIME_S = 31 * 24 * 3_600;

/** The features that an order uses by a field (docs/retailer/api.md, Versions of an order). */
const FEATURES: Readonly<Record<string, readonly string[]>> = {
  collect: ["collect"],
  dimensions: ["dimensions"],
  entrances: ["entrances"],
  expected_address: ["expected_address"],
  holder: ["holder_robot", "yes_each"],
  items: ["items"],
  label_rules: ["label_rules"],
  min_celsius: ["min_celsius"],
};

/** Which order at which home: `brand` and `home` are those of the granted connection, `orderId` is your id (a-z, 0-9, -). */
export interface OrderPlace {
  readonly brand: string;
  readonly home: string;
  readonly orderId: string;
  readonly version?: number;
  readonly lifetimeS?: number;
}

/** The private half of a brand's key. `kid` is its name at the hub; begin it with the brand's id. */
export class SigningKey {
  readonly #key: CryptoKey;
  readonly #now: () => number;

  /** `x` is the public half, as the hub and homes know it: a JWK's `x`. */
  private constructor(
    readonly kid: string,
    readonly x: string,
    key: CryptoKey,
    now: () => number,
  ) {
    this.#key = key;
    this.#now = now;
  }

  /** Make a new key. Keep `toJwk` where only your program reads it. */
  static async generate(kid: string, now: () => number = Date.now): Promise<SigningKey> {
    const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    return SigningKey.fromJwk(kid, await exportJWK(privateKey), now);
  }

  /** Read a key that `toJwk` wrote, or `perron retailer keys`. */
  static async fromJwk(kid: string, jwk: JWK, now: () => number = Date.now): Promise<SigningKey> {
    if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519" || jwk.d === undefined || jwk.x === undefined) {
      throw new TypeError("not a private Ed25519 key as a JWK");
    }
    const { kty, crv, d, x } = jwk; // another program's JWK may name another algorithm for the same key
    const key = (await importJWK({ kty, crv, d, x }, ALGORITHM, { extractable: true })) as CryptoKey;
    return new SigningKey(kid, x, key, now);
  }

  /** Return the key as a JWK, its private half included. */
  async toJwk(): Promise<JWK> {
    return exportJWK(this.#key);
  }

  /**
   * Sign an order for a home; it is sent as `token` of `NewSignedDelivery`, or, `as` "update", of `SignedDeliveryChange`.
   *
   * An update is the whole order, with a higher `version`. `name` of the order is not signed.
   */
  async signOrder(order: Order, place: OrderPlace, as: "offer" | "update" = "offer"): Promise<string> {
    const { name: _, ...fields } = order;
    const needs = Object.entries(fields).flatMap(([field, value]) => (value == null ? [] : (FEATURES[field] ?? []))).sort();
    const isSecond = needs.length > 0 || fields.info != null;
    const delivery = {
      do: as,
      id: place.orderId,
      version: place.version ?? 1,
      ...fields,
      ...(isSecond && { needs }),
      ...(fields.entrances != null && { entrances: [...new Set([order.entrance, ...fields.entrances])] }),
      ...(fields.label_rules != null && { label_rules: [...fields.label_rules].sort() }),
      ...(fields.holder != null && { yes_each: true }),
    };
    return this.#sign(isSecond ? "perron-delivery-2+jwt" : "perron-delivery+jwt", { ...this.#claims(place), delivery });
  }

  /** Sign the cancel of an order, as `token` of `Cancellation`; `version` is higher than that of the order. */
  async signCancel(place: OrderPlace & { readonly version: number }): Promise<string> {
    const delivery = { do: "cancel", id: place.orderId, version: place.version };
    return this.#sign("perron-delivery+jwt", { ...this.#claims(place), delivery });
  }

  /** Prove to a hub that you have this key: `proof` of `NewBrandKey`. `hub` is the hub's own address. */
  async prove(brand: string, hub: string): Promise<string> {
    return this.#sign("perron-brand-key+jwt", { brand, kid: this.kid, hub: hub.replace(/\/$/, "") });
  }

  #claims({ brand, home, lifetimeS = LIFETIME_S }: OrderPlace): Record<string, unknown> {
    if (!(lifetimeS > 0 && lifetimeS <= MAX_LIFETIME_S)) {
      throw new RangeError("a message lives at most 31 days");
    }
    const now = Math.floor(this.#now() / 1_000);
    return { iss: brand, aud: home, iat: now, nbf: now, exp: now + Math.floor(lifetimeS), jti: crypto.randomUUID() };
  }

  /** The hub takes JSON without spaces only, which is how JSON.stringify writes it. */
  async #sign(typ: string, claims: Record<string, unknown>): Promise<string> {
    const payload = new TextEncoder().encode(JSON.stringify(claims));
    return new CompactSign(payload).setProtectedHeader({ alg: ALGORITHM, kid: this.kid, typ }).sign(this.#key);
  }
}

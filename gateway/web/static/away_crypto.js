// What a browser of the household and its box say to each other through a hub: envelopes that the hub cannot read (JWE
// compact, "dir", A256GCM), orders and tokens that it cannot make (JWS compact, ES256). RFC 7515, 7516, 7518, 5869.
const CURVE = "P-256";
const LINE_FEED = 10;
const BYTES = new TextEncoder();
const UTF8 = new TextDecoder("utf-8", { fatal: true });

// What was handed over is no word of this home to this browser, whoever made it.
export class Unbelieved extends Error {}

export function encode(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decode(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text)) throw new Unbelieved("no base64url");
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  } catch {
    throw new Unbelieved("no base64url");
  }
}

const json = (value) => encode(BYTES.encode(JSON.stringify(value)));
const headOf = (browser) => json({ alg: "dir", enc: "A256GCM", kid: browser }); // these bytes and no others

// Two keys that never leave this browser: not even its own scripts can read them.
export async function makeKeys() {
  const [sign, agree] = await Promise.all([
    crypto.subtle.generateKey({ name: "ECDSA", namedCurve: CURVE }, false, ["sign", "verify"]),
    crypto.subtle.generateKey({ name: "ECDH", namedCurve: CURVE }, false, ["deriveBits"]),
  ]);
  return { sign, agree };
}

export async function publicJwk(key) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key);
  return { kty, crv, x, y };
}

// The two keys of the envelopes: one can only seal, the other only open.
export async function envelopeKeys(agree, box, home, browser) {
  const theirs = await crypto.subtle.importKey("jwk", box, { name: "ECDH", namedCurve: CURVE }, false, []);
  return keysOf(await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, agree, 256), home, browser);
}

// The same, of what both sides know already.
export async function keysOf(secret, home, browser) {
  const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const key = (way, use) => crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: BYTES.encode(`perron-remote/1 ${home} ${browser} ${way}`) },
    base, { name: "AES-GCM", length: 256 }, false, [use],
  );
  return { up: await key("up", "encrypt"), down: await key("down", "decrypt") };
}

export async function seal(key, browser, text) {
  const head = headOf(browser);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const made = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: BYTES.encode(head) }, key, BYTES.encode(text)));
  return `${head}..${encode(iv)}.${encode(made.subarray(0, -16))}.${encode(made.subarray(-16))}`;
}

// Open what the box sealed for this browser: the JSON object in it, and the bytes that follow its first line feed, if any.
// Whatever else it is: Unbelieved.
export async function unseal(key, browser, envelope) {
  const parts = typeof envelope === "string" ? envelope.split(".") : [];
  const head = headOf(browser);
  if (parts.length !== 5 || parts[0] !== head || parts[1] !== "") throw new Unbelieved("no envelope for this browser");
  const [, , iv, body, tag] = parts.map(decode);
  try {
    const data = { name: "AES-GCM", iv, additionalData: BYTES.encode(head), tagLength: 128 };
    const plain = new Uint8Array(await crypto.subtle.decrypt(data, key, new Uint8Array([...body, ...tag])));
    const end = plain.indexOf(LINE_FEED);
    const said = JSON.parse(UTF8.decode(end < 0 ? plain : plain.subarray(0, end)));
    if (said === null || typeof said !== "object" || Array.isArray(said)) throw new Unbelieved("no object");
    return { said, bytes: end < 0 ? null : plain.slice(end + 1) };
  } catch (failure) {
    throw failure instanceof Unbelieved ? failure : new Unbelieved(String(failure));
  }
}

// A signing key that came in a link; its parts are base64url. From here on it cannot be read out.
export function signingKey(d, x, y) {
  return crypto.subtle.importKey("jwk", { kty: "EC", crv: CURVE, d, x, y }, { name: "ECDSA", namedCurve: CURVE }, false, ["sign"]);
}

// Sign as this browser; `payload` is an object. WebCrypto gives r||s, as JWS wants it.
export async function signed(key, browser, typ, payload) {
  const text = `${json({ alg: "ES256", typ, kid: browser })}.${json(payload)}`;
  const made = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, BYTES.encode(text));
  return `${text}.${encode(new Uint8Array(made))}`;
}

// The key with which a supervisor's browser signs: P-256 by WebCrypto, in IndexedDB, and it cannot be read out.
const NAME = "perron-supervisor", STORE = "key", ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

async function within(mode, work) {
  const base = await new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  try {
    return await new Promise((resolve, reject) => {
      const all = base.transaction(STORE, mode, { durability: "strict" });
      const asked = work(all.objectStore(STORE));
      all.oncomplete = () => resolve(asked.result);
      all.onabort = () => reject(all.error);
    });
  } finally {
    base.close();
  }
}

// Make a new key in place of the one before; return the public half, a JWK with these four members only.
export async function makeKey() {
  const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign"]);
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  await within("readwrite", (store) => store.put(pair.privateKey, "sign"));
  return { kty, crv, x, y };
}

// The private key, which only signs; undefined: this browser has none.
export const ownKey = () => within("readonly", (store) => store.get("sign"));

const encoded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const text = (value) => encoded(new TextEncoder().encode(JSON.stringify(value)));

// A compact JWS; the box compares the header byte for byte.
export async function signed(claims, kid, key) {
  const input = `${text({ alg: "ES256", typ: "perron-yes+jwt", kid })}.${text(claims)}`;
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new TextEncoder().encode(input));
  return `${input}.${encoded(signature)}`;
}

export const named = () => encoded(crypto.getRandomValues(new Uint8Array(16)));

export async function digest(bytes) {
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

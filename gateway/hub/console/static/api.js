// Calls the operations of the hub's API. The key is in the header of each request, and nowhere else.
const TIMEOUT_MS = 20_000;
const MAX_WAITS = 3; // for one request that the hub limits
const MAX_WAIT_S = 20;

// The hub refused a request, or failed. `code`: of its problem; empty: something else answered in its place.
export class Refused extends Error {
  constructor(status, problem, retryAfterS) {
    super(problem.detail ?? problem.title ?? "");
    Object.assign(this, { status, code: problem.code ?? "", errors: problem.errors ?? [], request: problem.request_id ?? "", retryAfterS });
  }
}

export class Unreachable extends Error {}

const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

export function newIdempotencyKey() {
  return `console-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

async function refusal(answer) {
  let problem = {};
  try { problem = await answer.json(); } catch { /* a proxy answered, or the answer broke off */ }
  const seconds = Number(answer.headers.get("Retry-After"));
  return new Refused(answer.status, problem ?? {}, Number.isFinite(seconds) ? seconds : 0);
}

// `onWait` is called with the seconds for which a request waits, and with 0 afterwards.
export class Hub {
  #key;

  constructor(key, { onWait = () => {} } = {}) {
    this.#key = key;
    this.onWait = onWait;
  }

  get keyId() { return this.#key.split("_")[0]; }

  async #send(method, path, { body, idempotencyKey, signal, timeout = TIMEOUT_MS }) {
    const headers = { Authorization: `Bearer ${this.#key}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
    const signals = [signal, timeout && AbortSignal.timeout(timeout)].filter(Boolean);
    try {
      return await fetch(path, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.any(signals),
        cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
      });
    } catch (failure) {
      if (signal?.aborted) throw failure;
      throw new Unreachable(String(failure));
    }
  }

  async #answered(method, path, options) {
    for (let waits = 0; ; waits += 1) {
      const answer = await this.#send(method, path, options);
      if (answer.ok) return answer;
      const refused = await refusal(answer);
      if (method !== "GET" || answer.status !== 429 || waits >= MAX_WAITS || refused.retryAfterS > MAX_WAIT_S) throw refused;
      this.onWait(Math.max(1, refused.retryAfterS));
      await pause(Math.max(1, refused.retryAfterS));
      options.signal?.throwIfAborted();
      this.onWait(0);
    }
  }

  // Return the body of an answer, null if it has none. A GET that the hub limits waits, and is sent again.
  async ask(method, path, options = {}) {
    const answer = await this.#answered(method, path, options);
    try {
      return answer.status === 204 ? null : await answer.json();
    } catch (failure) {
      if (options.signal?.aborted) throw failure;
      throw new Unreachable(String(failure));
    }
  }

  get(path, query = {}, signal = undefined) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
    return this.ask("GET", given.length ? `${path}?${new URLSearchParams(given)}` : path, { signal });
  }

  // Return the bytes of an answer as they came.
  async bytes(path, signal) {
    return (await this.#answered("GET", path, { signal })).arrayBuffer();
  }

  // Yield each event after `after`, and null for each sign of life between them, until the stream ends.
  async *follow(after, signal) {
    const path = after ? `v1/events/stream?${new URLSearchParams({ after })}` : "v1/events/stream";
    const answer = await this.#send("GET", path, { signal, timeout: 0 });
    if (!answer.ok) throw await refusal(answer);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { done, value } = await reader.read().catch((failure) => {
        throw signal.aborted ? failure : new Unreachable(String(failure));
      });
      if (done) return;
      const messages = (text + value).split("\n\n");
      text = messages.pop();
      for (const message of messages) {
        const data = message.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
        yield data.length ? JSON.parse(data.join("\n")) : null;
      }
    }
  }
}

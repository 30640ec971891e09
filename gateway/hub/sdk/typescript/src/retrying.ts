/**
 * Repeats requests: the same Idempotency-Key at each try, so that what is announced is announced once.
 */
import { HubUnreachableError } from "./errors.js";

/**
 * Before the n-th repetition the client waits for a random time between 0 and `firstMs` doubled n-1 times, at most
 * `maxMs`, and in addition for what `Retry-After` says. A hub that asks for more than `maxRetryAfterMs` is not tried
 * again.
 */
export interface Retries {
  readonly tries: number;
  readonly firstMs: number;
  readonly maxMs: number;
  readonly maxRetryAfterMs: number;
}

export const RETRIES: Retries = { tries: 5, firstMs: 500, maxMs: 8_000, maxRetryAfterMs: 60_000 };

/** What a client needs of the world around it; a test gives its own. */
export interface World {
  readonly fetch: (request: Request, init?: RequestInit) => Promise<Response>;
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly random: () => number;
  readonly now: () => number;
}

const MAYBE_DONE = new Set([500, 502, 503, 504]); // the hub, or a proxy before it, failed, perhaps after the commit
const EVENT_STREAM = "text/event-stream";

/** Return a `fetch` that repeats what got no answer, or one that asks for another try (429, 500, 502, 503, 504). */
export function retryingFetch(retries: Retries, timeoutMs: number, world: World): (request: Request) => Promise<Response> {
  return async (given) => {
    const request = withKey(given);
    const mayRepeat = await isRepeatable(request);
    let maybeDone = false;
    for (let tried = 1; ; tried += 1) {
      const outcome = await once(request, timeoutMs, world);
      const status = outcome instanceof Response ? outcome.status : undefined;
      if (outcome instanceof Response && outcome.ok) {
        return outcome;
      }
      if (maybeDone && request.method === "DELETE" && status === 404) {
        return new Response(null, { status: 204 }); // an earlier try deleted it
      }
      const asks = status === undefined || MAYBE_DONE.has(status) || (maybeDone && (await codeOf(outcome)) === "conflict");
      const leastMs = outcome instanceof Response ? retryAfterMs(outcome, world.now()) : 0;
      const isLast = tried >= retries.tries || leastMs > retries.maxRetryAfterMs;
      if (isLast || !(status === 429 || (mayRepeat && asks))) {
        if (outcome instanceof Response) {
          return outcome;
        }
        throw new HubUnreachableError(`${new URL(request.url).origin} does not answer (${String(outcome)})`, { cause: outcome });
      }
      maybeDone ||= status === undefined || MAYBE_DONE.has(status);
      await world.sleep(leastMs + delayMs(retries, tried, world.random()));
      given.signal.throwIfAborted();
    }
  };
}

/** Return the wait after so many failures (1: the first), for a `chance` of 0 to 1. */
export function delayMs(retries: Retries, failures: number, chance: number): number {
  return chance * Math.min(retries.maxMs, retries.firstMs * 2 ** Math.min(failures - 1, 64));
}

/** Return an answer, read whole, or the fault. A caller's own abort is thrown. */
async function once(request: Request, timeoutMs: number, world: World): Promise<unknown> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const answer = await world.fetch(request.clone(), { signal, redirect: "error" });
    if (answer.headers.get("Content-Type")?.startsWith(EVENT_STREAM)) {
      return answer;
    }
    const body = await answer.arrayBuffer(); // so that a fault in its middle counts as one
    const { status, statusText, headers } = answer;
    return new Response(body.byteLength > 0 ? body : null, { status, statusText, headers });
  } catch (fault) {
    request.signal.throwIfAborted();
    return fault;
  }
}

/** A POST gets an Idempotency-Key; without an API key the hub would not remember it. */
function withKey(request: Request): Request {
  if (request.method === "POST" && request.headers.has("Authorization") && !request.headers.has("Idempotency-Key")) {
    request.headers.set("Idempotency-Key", crypto.randomUUID());
  }
  return request;
}

/** Whether a request may be sent again although an earlier try may have taken effect. */
async function isRepeatable(request: Request): Promise<boolean> {
  switch (request.method) {
    case "POST":
      return request.headers.has("Idempotency-Key");
    case "PATCH": {
      const body: unknown = await request.clone().json();
      return typeof body === "object" && body !== null && "version" in body && body.version !== null;
    }
    default:
      return true;
  }
}

async function codeOf(outcome: unknown): Promise<unknown> {
  if (!(outcome instanceof Response) || outcome.status !== 409) {
    return undefined;
  }
  const problem: unknown = await outcome.clone().json().catch(() => undefined);
  return typeof problem === "object" && problem !== null && "code" in problem ? problem.code : undefined;
}

/** `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(answer: Response, now: number): number {
  const text = answer.headers.get("Retry-After") ?? "";
  if (/^\d{1,9}$/.test(text)) {
    return Number(text) * 1_000;
  }
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

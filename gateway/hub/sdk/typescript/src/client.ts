import { setTimeout as sleep } from "node:timers/promises";

import { EventSourceParserStream } from "eventsource-parser/stream";
import createClient, { type Client } from "openapi-fetch";

import { ApiError } from "./errors.js";
import { delayMs, RETRIES, retryingFetch, type Retries, type World } from "./retrying.js";
import type { components, paths } from "./schema.js";

type Event = components["schemas"]["Event"];

const TIMEOUT_MS = 30_000;
const QUIET_MS = 60_000; // a stream has a comment every 15 s
const FIRST_EVENT_MS = 1_000;

/** `apiKey` is left out by who asks for a sandbox only. `timeoutMs` is for one try. The rest is for tests. */
export interface PerronOptions extends Partial<World> {
  readonly url: string;
  readonly apiKey?: string;
  readonly retries?: Partial<Retries>;
  readonly timeoutMs?: number;
}

/** What an operation of `api` returns. */
export interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** One page of a list. */
export interface Page<Item> {
  data: Item[];
  next: string | null;
}

/** A client of one hub. */
export class Perron {
  /** The hub's operations, typed by its document: `api.GET("/v1/deliveries/{delivery_id}", {params: ...})`. */
  readonly api: Client<paths>;
  readonly #retries: Retries;
  readonly #world: World;
  readonly #stream: () => Request;

  constructor(options: PerronOptions) {
    const url = checked(options.url);
    const headers: Record<string, string> = options.apiKey === undefined ? {} : { Authorization: `Bearer ${options.apiKey}` };
    this.#retries = { ...RETRIES, ...options.retries };
    this.#world = { fetch, sleep, random: Math.random, now: Date.now, ...options };
    const send = retryingFetch(this.#retries, options.timeoutMs ?? TIMEOUT_MS, this.#world);
    this.api = createClient<paths>({ baseUrl: url, headers, fetch: send });
    this.#stream = () => new Request(`${url}/v1/events/stream`, { headers: { ...headers, Accept: "text/event-stream" } });
  }

  /**
   * Follow events as they happen, without end; after each fault it connects again behind the last one.
   *
   * `after`: the id of the event to begin behind; without one, begin behind the newest. It throws `ApiError` if the hub
   * refuses it for good, such as for a key that was revoked.
   */
  async *follow(after?: string): AsyncGenerator<Event, never> {
    let last = after ?? (await this.#list({ limit: 1, order: "newest" }))[0]?.id;
    while (last === undefined) {
      await this.#world.sleep(FIRST_EVENT_MS); // while there is no event at all, no id says where to begin
      for (const event of await this.#list({ limit: 100 })) {
        last = event.id;
        yield event;
      }
    }
    for (let failures = 1; ; failures += 1) {
      for await (const event of this.#connected(last)) {
        failures = 0;
        last = event.id;
        yield event;
      }
      await this.#world.sleep(delayMs(this.#retries, Math.max(failures, 1), this.#world.random()));
    }
  }

  async #list(query: { limit: number; order?: "newest" }): Promise<Event[]> {
    return (await unwrap(this.api.GET("/v1/events", { params: { query } }))).data;
  }

  /** Yield the events of one connection, until it ends. */
  async *#connected(last: string): AsyncGenerator<Event> {
    const request = this.#stream();
    request.headers.set("Last-Event-ID", last);
    const quiet = new AbortController();
    let timer = setTimeout(() => quiet.abort(), QUIET_MS);
    try {
      const answer = await this.#world.fetch(request, { signal: quiet.signal, redirect: "error" });
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
        throw new ApiError(answer.status, (await answer.json()) as components["schemas"]["Problem"]);
      }
      if (!answer.ok || answer.body === null) {
        return;
      }
      const alive = new TransformStream<Uint8Array, Uint8Array>({
        transform(part, controller) {
          clearTimeout(timer);
          timer = setTimeout(() => quiet.abort(), QUIET_MS);
          controller.enqueue(part);
        },
      });
      const messages = answer.body.pipeThrough(alive).pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
      for await (const message of messages) {
        yield JSON.parse(message.data) as Event;
      }
    } catch (fault) {
      if (fault instanceof ApiError) {
        throw fault;
      }
    } finally {
      clearTimeout(timer);
      quiet.abort();
    }
  }
}

/** Return an answer's data; a refusal is thrown as `ApiError`. */
export async function unwrap<Data>(asked: Answer<Data> | Promise<Answer<Data>>): Promise<Exclude<Data, undefined>> {
  const answer = await asked;
  if (!answer.response.ok) {
    const problem = answer.error as components["schemas"]["Problem"] | undefined;
    throw new ApiError(answer.response.status, typeof problem === "object" && "code" in problem ? problem : undefined);
  }
  return answer.data as Exclude<Data, undefined>;
}

/** Yield all items of a list, page by page: `page` asks for the page at a cursor. */
export async function* items<Item>(page: (cursor: { cursor?: string }) => Promise<Page<Item>>): AsyncGenerator<Item, void> {
  for (let cursor: { cursor?: string } = {}; ; ) {
    const { data, next } = await page(cursor);
    yield* data;
    if (next === null) {
      return;
    }
    cursor = { cursor: next };
  }
}

/** Return the hub's address without a slash at its end; a TypeError tells what is wrong with it. */
function checked(text: string): string {
  const url = new URL(text);
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere)) {
    throw new TypeError("a hub's address begins with https: without it everybody on the way reads the API key");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new TypeError("a hub's address is https://name, as its operator tells it");
  }
  return url.href.replace(/\/$/, "");
}


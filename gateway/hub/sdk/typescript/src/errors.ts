import type { components } from "./schema.js";

type Problem = components["schemas"]["Problem"];

/** The hub refused a request, or failed. `code` is stable; the message says what is wrong and in which field. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /** `problem` is undefined if what answered, such as a proxy, sent no problem document. */
  constructor(
    readonly status: number,
    readonly problem: Problem | undefined,
  ) {
    const mistakes = (problem?.errors ?? []).map((mistake) => `\n  ${mistake.pointer}: ${mistake.detail ?? mistake.code}`);
    super(`${problem?.detail ?? problem?.title ?? `HTTP ${status}`}${mistakes.join("")}`);
  }

  /** The reason by its name, such as `not_found`; "unknown" without a problem document. */
  get code(): string {
    return this.problem?.code ?? "unknown";
  }

  /** The request's id in the hub's log: tell it the hub's operator. */
  get requestId(): string | undefined {
    return this.problem?.request_id ?? undefined;
  }
}

/** No try of a request got an answer. `cause` is the last fault. */
export class HubUnreachableError extends Error {
  override readonly name = "HubUnreachableError";
}

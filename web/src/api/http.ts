/** Requests to the server: its envelope, its errors, and further tries that do nothing twice. */

import { text } from "../text";

/** Why the server refused, or could not be asked. */
export class ApiError extends Error {
  constructor(
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    message: string,
    /** Seconds after which it is worth asking again. */
    readonly retryAfter?: number,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether the server could not be reached, or said that it can't work at the moment. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

interface Options {
  signal?: AbortSignal;
  /** Lets the request outlive the page. */
  keepalive?: boolean;
}

/** What is done when the server says that nobody is signed in. */
let whenSignedOut = () => {};
export function onSignedOut(handler: () => void): void {
  whenSignedOut = handler;
}

/** Something that is not made twice. `crypto.randomUUID` is not there on a page that came over plain HTTP. */
export const randomId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

/**
 * Why a request is given up that nobody waits for any more. One for all: an error keeps the stack that it was
 * made on, and so would keep, in an abandoned signal, what was shown before, and that what was shown before it.
 */
export const GIVEN_UP = new DOMException("given up", "AbortError");

/** Waits between tries, in milliseconds. Three tries in all. */
const WAITS = [400, 1_600];
/** How long one try may take, in milliseconds: longer than the server gives itself. */
const TRY_TIME = 95_000;

/**
 * Asks the server, and gives the `data` of its answer. A change carries an idempotency key, so that a
 * second try of one whose answer was lost is answered as the first one was.
 */
export async function request<T>(
  method: Method,
  path: string,
  body?: unknown,
  options: Options = {},
): Promise<T> {
  const headers: Record<string, string> = {};
  if (method !== "GET") headers["Idempotency-Key"] = randomId();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init = { method, headers, body: body === undefined ? undefined : JSON.stringify(body), ...options };
  for (const wait of WAITS) {
    try {
      return await once<T>(path, init);
    } catch (error) {
      if (!(error instanceof ApiError) || !error.isTransient || error.retryAfter) throw error;
      await pause(wait, options.signal);
    }
  }
  return once<T>(path, init);
}

async function once<T>(path: string, init: RequestInit): Promise<T> {
  const limit = AbortSignal.timeout(TRY_TIME);
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
  const response = await fetch(path, { ...init, signal }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, text.error.offline);
  });
  if (!response.ok) throw await refusal(response);
  const { data } = (await response.json()) as { data: T };
  return data;
}

/** What a response that refuses says. */
export async function refusal(response: Response): Promise<ApiError> {
  if (response.status === 401) whenSignedOut();
  const said = (await response.json().catch(() => ({}))) as { message?: string };
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  return new ApiError(response.status, said.message ?? text.error.status(response.status), retryAfter);
}

/** Waits that long, in milliseconds, unless the signal comes first. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

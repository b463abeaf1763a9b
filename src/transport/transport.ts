/**
 * The port to the outside: sockets, requests, time, timers, randomness.
 * Adapters: `network.ts` (ws, undici, the process clock) and `virtual.ts` (one process, virtual time, one seed).
 */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** ms since the epoch. */
  now(): number;
  /** Calls once after `ms`; an uncancelled timer keeps nothing alive. */
  setTimer(ms: number, call: () => void): Timer;
  /** Resolves after `ms`; rejects with code `aborted` when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
}

export interface SocketHandlers {
  /** One text or binary message. */
  message(data: Uint8Array): void;
  /** A ping was received; the adapter has already answered it with the same payload. */
  ping?(): void;
  /** Once, whoever closed. */
  close(code: number, reason: string): void;
}

export interface Socket {
  send(text: string): void;
  /** Stops reading from the network, so that the peer's sends back up; `resume` reads on. */
  pause(): void;
  resume(): void;
  close(code?: number): void;
}

export interface HttpRequest {
  readonly method?: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * The client side. Failures to connect throw `exchange_unreachable`, retryable. What a socket is sent is given to its handlers
 * only when those who wait for `connect` have gone on.
 */
export interface Transport extends Clock {
  connect(
    url: string,
    handlers: SocketHandlers,
    options?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<Socket>;
  request(request: HttpRequest): Promise<HttpResponse>;
}

/** What a hosted server may do with one accepted WebSocket. */
export interface ServerSocket {
  send(text: string): void;
  ping(payload: string): void;
  close(code?: number, reason?: string): void;
  /** Cuts the connection without a closing handshake. */
  terminate(): void;
  /** Bytes given to `send` that the peer has not taken yet. */
  bufferedBytes(): number;
}

export interface ServerSocketHandlers {
  message(text: string): void;
  pong?(payload: string): void;
  close(): void;
}

export interface ServerHandlers {
  /** `path` starts with `/`; `query` has the parameters. */
  request(method: string, path: string, query: URLSearchParams): Promise<HttpResponse> | HttpResponse;
  /** Accepts a WebSocket, or refuses with an HTTP status. What is sent on `socket` before it has returned is lost. */
  socket(
    path: string,
    query: URLSearchParams,
    socket: ServerSocket,
  ): ServerSocketHandlers | { readonly refuse: number };
}

export interface Server {
  readonly httpUrl: string;
  readonly wsUrl: string;
  close(): Promise<void>;
}

/** The hosting side: what the simulator needs to speak on real or virtual sockets. */
export interface Host extends Clock {
  /** Port 0 takes a free one; throws `port_in_use`. */
  listen(port: number, handlers: ServerHandlers): Promise<Server>;
}

/** One virtual WebSocket: messages in order in each direction, each after some latency; closing, cutting, pausing. */
import type { ServerSocket, ServerSocketHandlers, Socket, SocketHandlers } from './transport.ts';
import type { VirtualProcess } from './virtual.ts';

const ABNORMAL = 1006;
const NORMAL = 1000;

const encoder = new TextEncoder();

export class VirtualWire {
  readonly client: Socket;
  readonly server: ServerSocket;
  readonly #clientSide: VirtualProcess;
  readonly #serverSide: VirtualProcess;
  readonly #toClient: SocketHandlers;
  #toServer: ServerSocketHandlers | null = null;
  #closed: () => void = () => undefined;
  /** What the server has sent and the client has not taken: by the latency, or because it is paused. */
  #unread: (() => void)[] = [];
  #unreadBytes = 0;
  #paused = false;
  #clientDone = false;
  #serverDone = false;
  #clientFreeAt = 0;
  #serverFreeAt = 0;

  constructor(clientSide: VirtualProcess, serverSide: VirtualProcess, toClient: SocketHandlers) {
    this.#clientSide = clientSide;
    this.#serverSide = serverSide;
    this.#toClient = toClient;
    this.client = {
      send: (text) => this.#deliverToServer(() => this.#toServer?.message(text)),
      pause: () => {
        this.#paused = true;
      },
      resume: () => {
        this.#paused = false;
        this.#read();
      },
      close: (code) => this.#endByClient(code ?? ABNORMAL),
    };
    this.server = {
      send: (text) => this.#sendToClient(text.length, () => this.#toClient.message(encoder.encode(text))),
      ping: (payload) =>
        this.#sendToClient(payload.length, () => {
          this.#toClient.ping?.();
          this.#deliverToServer(() => this.#toServer?.pong?.(payload));
        }),
      close: (code = NORMAL, reason = '') => {
        this.#sendToClient(0, () => this.#endClient(code, reason));
        this.#endServer();
      },
      terminate: () => this.cut(),
      bufferedBytes: () => this.#unreadBytes,
    };
  }

  open(toServer: ServerSocketHandlers, closed: () => void): void {
    this.#toServer = toServer;
    this.#closed = closed;
    // The client goes on first, then hears what was sent meanwhile.
    this.#clientSide.after(0, () => this.#read());
  }

  /** The line is dead: what is under way is lost. */
  cut(): void {
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#clientSide.after(this.#clientSide.network.latency(), () => this.#endClient(ABNORMAL, ''));
    this.#endServer();
  }

  #endByClient(code: number): void {
    if (this.#clientDone) return;
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#clientSide.after(0, () => this.#endClient(code, ''));
    this.#deliverToServer(() => this.#endServer());
  }

  #endClient(code: number, reason: string): void {
    if (this.#clientDone) return;
    this.#clientDone = true;
    this.#closed();
    this.#toClient.close(code, reason);
  }

  #endServer(): void {
    if (this.#serverDone) return;
    this.#serverDone = true;
    this.#serverSide.after(0, () => this.#toServer?.close());
  }

  #sendToClient(bytes: number, deliver: () => void): void {
    if (this.#serverDone || this.#clientDone) return;
    this.#unreadBytes += bytes;
    const { network } = this.#clientSide;
    const now = network.queue.now;
    this.#clientFreeAt = Math.max(this.#clientFreeAt, now + network.latency());
    this.#clientSide.after(this.#clientFreeAt - now, () => {
      this.#unread.push(() => {
        this.#unreadBytes = Math.max(0, this.#unreadBytes - bytes);
        deliver();
      });
      this.#read();
    });
  }

  #read(): void {
    if (!this.#toServer) return;
    while (!this.#paused && !this.#clientDone && this.#unread.length > 0) this.#unread.shift()!();
  }

  #deliverToServer(deliver: () => void): void {
    const { network } = this.#clientSide;
    const now = network.queue.now;
    this.#serverFreeAt = Math.max(this.#serverFreeAt, now + network.latency());
    this.#serverSide.after(this.#serverFreeAt - now, () => {
      if (!this.#serverDone) deliver();
    });
  }
}

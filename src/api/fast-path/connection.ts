/** One client's socket, for as long as it brings nothing but requests that are answered on it. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { elapsedMs } from '../../observe/clock.ts';
import type { FastAnswer, FastPath, Known } from './fast-path.ts';

export class Connection {
  readonly #fast: FastPath;
  readonly #socket: Socket;
  readonly #leave: () => void;
  /** What has come of a request. */
  #parts: Buffer[] = [];
  #bytes = 0;
  /** How many bytes it has, head and body; 0 before that is known. */
  #wanted = 0;
  /** When its last request began. */
  #began: number = elapsedMs();
  /** The head of its last request. */
  #known: Known | null = null;
  /** What is still to be sent of its last request. */
  #due: { readonly known: Known; readonly answer: FastAnswer } | null = null;

  /** `leave` gives the socket to Node's server. */
  constructor(fast: FastPath, socket: Socket, leave: () => void) {
    this.#fast = fast;
    this.#socket = socket;
    this.#leave = leave;
    socket.on('data', this.#read).on('end', this.#end).on('error', this.#drop);
  }

  /** Where its last request began before `ms` it is cut; one whose body is still coming may take its time, the other way. */
  closeIdle(ms: number): void {
    if (this.#began >= ms) return;
    if (this.#bytes === 0) this.#drop();
    else this.#handOver();
  }

  /** Where the server closes: with nothing on its way it is ended; what has begun is finished the other way. */
  close(): void {
    if (this.#bytes === 0) this.#end();
    else this.#handOver();
  }

  /** Sends the answer there is. */
  flush(): void {
    if (this.#due === null) return;
    const { known, answer } = this.#due;
    this.#due = null;
    const { head, route } = known;
    const answerBytes = this.#send(answer, head.requestId ?? randomUUID());
    this.#fast.meter('POST', route.route, 200, elapsedMs() - this.#began, head.bodyBytes, answerBytes);
  }

  readonly #end = (): void => {
    this.flush();
    this.#socket.destroySoon();
  };
  readonly #drop = (): void => void this.#socket.destroy();

  readonly #read = (chunk: Buffer): void => {
    this.flush();
    if (this.#bytes === 0) this.#began = elapsedMs();
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#wanted) return;
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
    const known = this.#fast.known(bytes, this.#known);
    this.#known = known;
    this.#wanted = known ? known.bytes.length + known.head.bodyBytes : 0;
    if (known && this.#bytes < this.#wanted) return;
    // More than one request: it is the other way that answers them in turn.
    const answer = known && this.#bytes === this.#wanted ? answerOf(known, bytes.subarray(known.bytes.length)) : null;
    if (answer) this.#answer(known!, answer);
    else this.#handOver();
  };

  #answer(known: Known, answer: FastAnswer): void {
    this.#parts = [];
    this.#bytes = 0;
    this.#wanted = 0;
    this.#due = { known, answer };
    this.#fast.flushLater(this);
  }

  /** Returns the size of the body. */
  #send({ json, tensors }: FastAnswer, requestId: string): number {
    const socket = this.#socket;
    const jsonBytes = Buffer.byteLength(json);
    const bodyBytes = jsonBytes + (tensors?.length ?? 0);
    const text = this.#fast.head(requestId, bodyBytes, tensors ? jsonBytes : null) + json;
    // Latin-1 where it is ASCII: the same bytes, and no character is looked at.
    const isTaken =
      jsonBytes === json.length
        ? socket.write(tensors === null ? text : text + tensors, 'latin1')
        : socket.write(Buffer.concat([Buffer.from(text), Buffer.from(tensors ?? '', 'latin1')]));
    if (!isTaken) {
      // Who does not read its answers is not read from.
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
    return bodyBytes;
  }

  #handOver(): void {
    const socket = this.#socket;
    socket.pause();
    socket.off('data', this.#read).off('end', this.#end).off('error', this.#drop);
    socket.unshift(Buffer.concat(this.#parts));
    this.#leave();
    socket.resume();
  }
}

/** What can't be answered is tried once more the other way, which knows how to say so. */
function answerOf({ head, route }: Known, body: Buffer): FastAnswer | null {
  try {
    return route.answer(body, head.jsonBytes);
  } catch {
    return null;
  }
}

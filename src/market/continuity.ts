/** Keeps each symbol's ids in order over all files: numbers rows that have none, drops repeats, tells of holes and pauses. */
import { TapewatchError } from './error.ts';
import { isTrade, type TapeRecord, type Trade } from './records.ts';

/** What the ids of a tape count. */
export type Feed = 'trade' | 'aggTrade' | 'unnumbered';

/** Between two files a longer standstill is a gap, ms. */
const PAUSE_MS = 60_000;

interface Thread {
  readonly feed: Feed;
  lastId: number;
  lastTime: number;
  file: number;
}

export class Continuity {
  readonly #threads = new Map<string, Thread>();
  /** Rows dropped because their id had passed. */
  duplicates = 0;

  /** Puts `record` of file number `file` on the tape, after what it shows to be missing. */
  admit(record: TapeRecord, file: number, feed: Feed, out: TapeRecord[]): void {
    if (isTrade(record)) {
      this.#trade(record, file, feed, out);
      return;
    }
    if (record.type === 'gap' && record.last !== null) {
      const thread = this.#thread(record.symbol, feed, file);
      if (record.last <= thread.lastId) return;
      thread.lastId = record.last;
    }
    out.push(record);
  }

  #trade(trade: Trade, file: number, feed: Feed, out: TapeRecord[]): void {
    const thread = this.#thread(trade.symbol, feed, file);
    const { symbol, timestamp } = trade;
    if (feed === 'unnumbered') {
      if (file !== thread.file && timestamp - thread.lastTime > PAUSE_MS) {
        out.push({ type: 'gap', symbol, timestamp, first: null, last: null, reason: 'pause' });
      }
      thread.lastId++;
      out.push({ ...trade, id: thread.lastId });
    } else {
      if (trade.id <= thread.lastId) {
        this.duplicates++;
        return;
      }
      if (thread.lastId >= 0 && trade.id > thread.lastId + 1) {
        out.push({ type: 'gap', symbol, timestamp, first: thread.lastId + 1, last: trade.id - 1, reason: 'hole' });
      } else if (file !== thread.file && thread.lastId >= 0 && timestamp - thread.lastTime > PAUSE_MS) {
        out.push({ type: 'gap', symbol, timestamp, first: null, last: null, reason: 'pause' });
      }
      thread.lastId = trade.id;
      out.push(trade);
    }
    thread.file = file;
    if (timestamp > thread.lastTime) thread.lastTime = timestamp;
  }

  #thread(symbol: string, feed: Feed, file: number): Thread {
    let thread = this.#threads.get(symbol);
    if (!thread) {
      thread = { feed, lastId: feed === 'unnumbered' ? 0 : -1, lastTime: Number.POSITIVE_INFINITY, file };
      thread.lastTime = 0;
      this.#threads.set(symbol, thread);
    }
    if (thread.feed !== feed) {
      throw new TapewatchError(
        'tape_unreadable',
        `${symbol} stands on the tapes as ${thread.feed} and as ${feed}: their ids differ, so give only one of them.`,
      );
    }
    return thread;
  }
}

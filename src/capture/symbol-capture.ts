/** One symbol's way onto the tape: history before its first trade, the ledger, repair over REST, gaps, halts. */
import type { BinanceRest, TradesFound } from '../exchange/binance/rest.ts';
import { IdLedger } from '../market/ledger.ts';
import type { Gap, HistoryBar, Status, TradeText } from '../market/records.ts';
import type { Transport } from '../transport/transport.ts';

export interface SymbolCaptureOptions {
  readonly symbol: string;
  /** Last id on the tape, -1 for a new symbol. */
  readonly lastId: number;
  readonly transport: Transport;
  readonly rest: BinanceRest;
  readonly history_s: number;
  readonly repairLimit: number;
  /** The last heartbeat of the partition, ms: what stands on the tape up to there is told. */
  promised(): number;
  trade(trade: TradeText): void;
  control(record: Gap | Status | HistoryBar): void;
  gap(trades: number, outcome: 'repaired' | 'lost'): void;
}

/** Trades held back behind a hole, or before history: beyond either bound the tape goes on without what they wait for. */
const HELD_MAX = 50_000;
const HELD_MS = 60_000;
const RETRY_MS = 1000;
/** A frame out of order comes within this. */
const REORDER_MS = 50;
const HISTORY_STEP_S = 1000;

/** Ids from `first` on are missing; `witness` is the next one known to exist. */
interface Missing {
  readonly first: number;
  readonly witness: number;
}

export class SymbolCapture {
  readonly symbol: string;
  readonly #options: SymbolCaptureOptions;
  readonly #ledger: IdLedger;
  readonly #stopping = new AbortController();
  readonly #out: TradeText[] = [];
  /** Trades that wait for the history before them. */
  #early: TradeText[] | null;
  #historyAsked = false;
  #connected = false;
  /** When the connection was made before which trades may be missing; null where none can be. */
  #doubt: number | null;
  /** Largest id that REST has told of. */
  #known = -1;
  /** Up to here, ms, REST knows of no trade beyond `#known`. */
  #confirmedMs = 0;
  #repairing = false;
  #toldLost = false;
  #halted = false;
  #lastTradeMs = 0;

  constructor(options: SymbolCaptureOptions) {
    const { symbol, lastId, history_s } = options;
    this.symbol = symbol;
    this.#options = options;
    this.#ledger = new IdLedger(lastId);
    this.#early = lastId < 0 && history_s > 0 ? [] : null;
    this.#doubt = lastId < 0 ? null : 0;
  }

  get isConnected(): boolean {
    return this.#connected;
  }
  get doubt(): number | null {
    return this.#doubt;
  }
  get isHalted(): boolean {
    return this.#halted;
  }
  /** Event time of the last trade, ms; 0 before the first. */
  get lastTradeMs(): number {
    return this.#lastTradeMs;
  }

  /** Whether ids are known to be missing. */
  get isMissing(): boolean {
    return this.#missing() !== null;
  }
  /** Whether all that the exchange has sent so far is on its way to the log, and nothing is known to be missing. */
  get isWhole(): boolean {
    return this.#connected && this.#doubt === null && this.#early === null && !this.isMissing;
  }
  /** Up to here, ms, nothing was traded that has not been seen: by the last trade, or by REST. No limit before the first. */
  get knownUntilMs(): number {
    return this.#ledger.lastId < 0 ? Number.POSITIVE_INFINITY : Math.max(this.#lastTradeMs, this.#confirmedMs);
  }

  connected(): void {
    this.#connected = true;
    if (this.#toldLost) this.#tellFeed('connected');
    this.#toldLost = false;
    this.#doubt = this.#ledger.lastId < 0 ? null : this.#options.transport.now();
  }

  lost(): void {
    this.#connected = false;
    this.#confirmedMs = 0;
    if (this.#ledger.lastId < 0) return;
    if (!this.#toldLost) this.#tellFeed('lost');
    this.#toldLost = true;
    this.#doubt ??= 0;
  }

  /** Nothing of this symbol is written any more. */
  stop(): void {
    this.#stopping.abort();
    this.#connected = false;
    this.#doubt = null;
  }

  live(trade: TradeText): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#early === null) {
      // Its id shows what was missed before this connection.
      this.#doubt = null;
      this.#take(trade);
      return;
    }
    this.#early.push(trade);
    if (this.#early.length > HELD_MAX) this.#begin();
    else if (!this.#historyAsked) void this.#fetchHistory(trade);
  }

  /**
   * REST says which id was the last when the exchange had sent all up to `untilMs`. It was asked about the connection that was
   * in doubt since `doubt`, if it was; of another one its answer says nothing.
   */
  confirm(doubt: number | null, lastId: number, untilMs: number): void {
    if (!this.#connected || this.#doubt !== doubt) return;
    this.#doubt = null;
    this.#known = Math.max(this.#known, lastId);
    this.#confirmedMs = Math.max(this.#confirmedMs, untilMs);
    if (lastId > this.#ledger.lastId) this.#startRepair();
  }

  /** What the exchange says of the symbol: a halt is no silence. Stamped with the tape's own time, never a clock's. */
  exchangeStatus(halted: boolean): void {
    if (halted === this.#halted || this.#lastTradeMs === 0 || !this.isWhole) return;
    this.#tellStatus(halted, Math.max(this.#lastTradeMs, this.#options.promised()));
  }

  #tellStatus(halted: boolean, timestamp: number): void {
    this.#halted = halted;
    const { symbol } = this;
    this.#options.control({ type: 'status', symbol, timestamp, status: halted ? 'halted' : 'resumed' });
  }

  /** For people: stamped by a clock, and nothing that detection looks at. */
  #tellFeed(status: 'lost' | 'connected'): void {
    this.#options.control({ type: 'status', symbol: this.symbol, timestamp: this.#options.transport.now(), status });
  }

  #take(trade: TradeText): void {
    this.#ledger.push(trade, this.#out);
    if (this.#out.length > 0) this.#give();
    if (this.#ledger.heldBack === 0) return;
    if (this.#ledger.heldBack > HELD_MAX) this.#giveUp(this.#ledger.hole()!.last, 'hole');
    else this.#startRepair();
  }

  #give(): void {
    const out = this.#out;
    // A trade says that the symbol trades, whatever the last poll said.
    if (this.#halted) this.#tellStatus(false, out[0]!.timeUs / 1000);
    for (const trade of out) this.#options.trade(trade);
    this.#lastTradeMs = Math.max(this.#lastTradeMs, out.at(-1)!.timeUs / 1000);
    out.length = 0;
  }

  #missing(): Missing | null {
    const hole = this.#ledger.hole();
    if (hole) return { first: hole.first, witness: hole.last + 1 };
    const { lastId } = this.#ledger;
    return lastId >= 0 && this.#known > lastId ? { first: lastId + 1, witness: this.#known } : null;
  }

  #startRepair(): void {
    if (!this.#repairing) void this.#repair();
  }

  async #repair(): Promise<void> {
    const { transport } = this.#options;
    const { signal } = this.#stopping;
    this.#repairing = true;
    try {
      await transport.sleep(REORDER_MS, signal);
      let progressAt = transport.now();
      for (let missing = this.#missing(); missing && !signal.aborted; missing = this.#missing()) {
        const { lastId } = this.#ledger;
        await this.#fetch(missing, HELD_MS - (transport.now() - progressAt));
        if (this.#ledger.lastId > lastId) progressAt = transport.now();
        else if (transport.now() - progressAt < HELD_MS) await transport.sleep(RETRY_MS, signal);
        else if (this.#ledger.heldBack > 0) this.#giveUp(this.#ledger.hole()!.last, 'hole');
        else progressAt = transport.now();
      }
    } catch {
      // Only waiting rejects, when capture of the symbol stops.
    } finally {
      this.#repairing = false;
    }
  }

  /** Asks REST for what is missing; a failure, or no answer in time, only means that nothing is found. */
  async #fetch({ first, witness }: Missing, patienceMs: number): Promise<void> {
    const { rest, repairLimit } = this.#options;
    const from = Math.max(first, witness - repairLimit);
    const found = await this.#patiently(patienceMs, (signal) =>
      rest.trades(this.symbol, from, witness - from + 1, signal),
    );
    if (found) this.#merge(found, Math.max(from, found.reach));
  }

  /** Ids below `reach` were not asked for; others that stand before a trade found or held back are not on the exchange. */
  #merge({ trades }: TradesFound, reach: number): void {
    let repaired = 0;
    for (const trade of trades) {
      const missing = this.#missing();
      if (!missing) break;
      const next = Math.min(trade.id, this.#ledger.hole() ? missing.witness : trade.id);
      if (next > missing.first)
        this.#giveUp(next - 1, missing.first < reach ? 'repair_limit' : 'not_on_exchange', trade);
      if (trade.id <= this.#ledger.lastId) continue;
      repaired++;
      this.#take(trade);
    }
    if (repaired > 0) this.#options.gap(repaired, 'repaired');
  }

  /** Ids up to `last` are missing for good: a gap stands on the tape before what follows, which is held back or `next`. */
  #giveUp(last: number, reason: Gap['reason'], next?: TradeText): void {
    const { symbol } = this;
    const first = this.#ledger.lastId + 1;
    this.#ledger.skip(last, this.#out);
    const timestamp = (this.#out[0] ?? next!).timeUs / 1000;
    const promised = this.#options.promised();
    this.#options.gap(last - first + 1, 'lost');
    const since = promised > 0 ? { since: promised } : {};
    this.#options.control({ type: 'gap', symbol, timestamp, first, last, reason, ...since });
    if (this.#out.length > 0) this.#give();
  }

  async #fetchHistory(first: TradeText): Promise<void> {
    this.#historyAsked = true;
    const { rest, history_s } = this.#options;
    const endMs = Math.floor(first.timeUs / 1_000_000) * 1000;
    const stepMs = HISTORY_STEP_S * 1000;
    await this.#patiently(HELD_MS, async (signal) => {
      for (let from = endMs - history_s * 1000; from < endMs && this.#early; from += stepMs) {
        const bars = await rest.secondBars(this.symbol, from, Math.min(endMs, from + stepMs), signal);
        if (this.#early) for (const bar of bars) this.#options.control(bar);
      }
    });
    // Without history a symbol warms up by its trades; what was fetched so far helps.
    this.#begin();
  }

  #begin(): void {
    if (this.#stopping.signal.aborted) return;
    const early = this.#early ?? [];
    this.#early = null;
    for (const trade of early) this.#take(trade);
  }

  /** What `ask` gives, null where it fails or takes longer than `ms`, or where capture of the symbol stops. */
  async #patiently<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    const { signal } = this.#stopping;
    const patience = new AbortController();
    const end = (): void => patience.abort();
    const timer = this.#options.transport.setTimer(Math.max(0, ms), end);
    signal.addEventListener('abort', end, { once: true });
    try {
      return await ask(patience.signal);
    } catch {
      return null;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
    }
  }
}

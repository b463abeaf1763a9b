/** One symbol's way onto the tape: history before its first trade, the ledger, repair over REST, gaps. */
import type { BinanceRest } from '../exchange/binance/rest.ts';
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
  readonly signal: AbortSignal;
  trade(trade: TradeText): void;
  control(record: Gap | Status | HistoryBar): void;
  gap(trades: number, outcome: 'repaired' | 'lost'): void;
}

/** Trades held back behind a hole: beyond either bound the hole is given up. */
const HELD_MAX = 50_000;
const HELD_MS = 60_000;
const RETRY_MS = 1000;
/** A frame out of order comes within this. */
const REORDER_MS = 50;
const ROWS = 1000;
const HISTORY_STEP_S = 1000;

export class SymbolCapture {
  readonly #options: SymbolCaptureOptions;
  readonly #ledger: IdLedger;
  /** Trades that wait for the history before them. */
  #early: TradeText[] | null;
  #historyAsked = false;
  #confirmed: boolean;
  #repairing = false;
  #wasLost = false;
  #halted = false;
  #lastTradeMs = 0;

  constructor(options: SymbolCaptureOptions) {
    this.#options = options;
    this.#ledger = new IdLedger(options.lastId);
    this.#early = options.lastId < 0 && options.history_s > 0 ? [] : null;
    this.#confirmed = options.lastId < 0;
  }

  /** Whether all trades so far are on their way to the log. */
  get isWhole(): boolean {
    return this.#confirmed && !this.#repairing && this.#early === null && this.#ledger.heldBack === 0;
  }

  live(trade: TradeText): void {
    if (this.#early === null) this.#take([trade]);
    else {
      this.#early.push(trade);
      if (!this.#historyAsked) void this.#fetchHistory(trade);
    }
  }

  connected(): void {
    if (this.#wasLost) this.#status('connected');
    if (this.#ledger.lastId >= 0) void this.#confirm();
  }

  /** What the exchange says of the symbol: a halt is no silence. Stamped with the tape's own time, never a clock's. */
  exchangeStatus(halted: boolean): void {
    if (halted === this.#halted || this.#lastTradeMs === 0 || !this.isWhole) return;
    this.#tellStatus(halted, this.#lastTradeMs);
  }

  lost(): void {
    if (!this.#wasLost && this.#ledger.lastId >= 0) this.#status('lost');
    this.#wasLost = true;
    this.#confirmed = this.#ledger.lastId < 0;
  }

  #tellStatus(halted: boolean, timestamp: number): void {
    this.#halted = halted;
    const { symbol } = this.#options;
    this.#options.control({ type: 'status', symbol, timestamp, status: halted ? 'halted' : 'resumed' });
  }

  #status(status: 'lost' | 'connected'): void {
    const { symbol, transport } = this.#options;
    this.#options.control({ type: 'status', symbol, timestamp: transport.now(), status });
    if (status === 'connected') this.#wasLost = false;
  }

  #take(trades: readonly TradeText[]): void {
    const out: TradeText[] = [];
    for (const trade of trades) this.#ledger.push(trade, out);
    const [first] = out;
    // A trade says that the symbol trades, whatever the last poll said.
    if (first && this.#halted) this.#tellStatus(false, first.timeUs / 1000);
    for (const trade of out) this.#options.trade(trade);
    if (first) this.#lastTradeMs = out.at(-1)!.timeUs / 1000;
    if (this.#ledger.hole() && !this.#repairing) void this.#repair();
  }

  /** After a connection: asks REST for the last id, and for what came before it and was missed. */
  async #confirm(): Promise<void> {
    const { rest, symbol, transport, signal } = this.#options;
    while (!signal.aborted) {
      try {
        const [last] = await rest.trades(symbol, null, 1, signal);
        if (last && last.id > this.#ledger.lastId) this.#take([last]);
        this.#confirmed = true;
        return;
      } catch {
        if (!(await this.#wait(RETRY_MS, transport))) return;
      }
    }
  }

  async #repair(): Promise<void> {
    const { rest, symbol, transport, signal, repairLimit } = this.#options;
    this.#repairing = true;
    const since = transport.now();
    if (!(await this.#wait(REORDER_MS, transport))) return;
    for (let hole = this.#ledger.hole(); hole && !signal.aborted; hole = this.#ledger.hole()) {
      const from = Math.max(hole.first, hole.last - repairLimit + 1);
      try {
        const found = await rest.trades(symbol, from, Math.min(ROWS, hole.last - from + 1), signal);
        const fitting = found.filter(({ id }) => id >= from && id <= hole.last);
        const next = fitting[0]?.id ?? hole.last + 1;
        if (next > hole.first)
          this.#giveUp(hole.first, next - 1, from > hole.first ? 'repair_limit' : 'not_on_exchange', fitting[0]);
        if (fitting.length > 0) this.#options.gap(fitting.length, 'repaired');
        this.#take(fitting);
      } catch {
        const tooLong = transport.now() - since > HELD_MS || this.#ledger.heldBack > HELD_MAX;
        if (tooLong) this.#giveUp(hole.first, hole.last, 'repair_limit');
        else if (!(await this.#wait(RETRY_MS, transport))) return;
      }
    }
    this.#repairing = false;
  }

  /** Ids `first` to `last` are missing for good: a gap stands on the tape before what follows. */
  #giveUp(first: number, last: number, reason: Gap['reason'], next?: TradeText): void {
    const { symbol } = this.#options;
    const out: TradeText[] = [];
    this.#ledger.skip(last, out);
    const timestamp = (next ?? out[0])!.timeUs / 1000;
    this.#options.gap(last - first + 1, 'lost');
    this.#options.control({ type: 'gap', symbol, timestamp, first, last, reason });
    for (const trade of out) this.#options.trade(trade);
  }

  async #fetchHistory(first: TradeText): Promise<void> {
    this.#historyAsked = true;
    const { rest, symbol, history_s, signal, transport } = this.#options;
    const endMs = Math.floor(first.timeUs / 1_000_000) * 1000;
    try {
      for (let from = endMs - history_s * 1000; from < endMs; from += HISTORY_STEP_S * 1000) {
        const bars = await rest.secondBars(symbol, from, Math.min(endMs, from + HISTORY_STEP_S * 1000), signal);
        for (const bar of bars) if (bar.trades > 0) this.#options.control(bar);
      }
    } catch {
      // Without history a symbol warms up by its trades; what was fetched so far helps.
      if (!(await this.#wait(0, transport))) return;
    }
    const early = this.#early ?? [];
    this.#early = null;
    this.#take(early);
  }

  /** False where capture stops meanwhile. */
  async #wait(ms: number, transport: Transport): Promise<boolean> {
    try {
      await transport.sleep(ms, this.#options.signal);
      return true;
    } catch {
      return false;
    }
  }
}

/** A symbol's trades from a known one on, for `explain` where the log has them no more: from a tape or from the exchange. */
import type { BinanceRest } from '../exchange/binance/rest.ts';
import { decodeTapeRecord, encodeTrade } from '../market/codec.ts';
import { Continuity } from '../market/continuity.ts';
import { TapewatchError } from '../market/error.ts';
import { isTrade, type TapeRecord } from '../market/records.ts';

const ROWS = 1000;

/** What of `tape` follows trade `lastTradeId`, that trade included where it is there. */
export async function* fromTape(
  tape: AsyncIterable<readonly TapeRecord[]>,
  symbol: string,
  lastTradeId: number,
): AsyncIterable<readonly TapeRecord[]> {
  let begun = false;
  for await (const batch of tape) {
    const rest: readonly TapeRecord[] = begun ? batch : batch.slice(Math.max(0, batch.findIndex(begins)));
    begun ||= rest.length > 0 && begins(rest[0]!);
    if (begun) yield rest;
  }

  function begins(record: TapeRecord): boolean {
    return isTrade(record) && record.symbol === symbol && record.id >= lastTradeId;
  }
}

/**
 * The same from the exchange, up to its last trade; ids that it doesn't have are a gap, as they are to capture.
 * @throws TapewatchError `not_found` where it gives no trade so old
 */
export async function* fromExchange(
  rest: Pick<BinanceRest, 'trades'>,
  symbol: string,
  lastTradeId: number,
  signal: AbortSignal,
): AsyncIterable<readonly TapeRecord[]> {
  const continuity = new Continuity();
  for (let from = lastTradeId; ; ) {
    const { trades, reach } = await rest.trades(symbol, from, ROWS, signal);
    if (lastTradeId < 0 || reach > from)
      throw new TapewatchError('not_found', `The exchange gives no trades of ${symbol} from ${from} on: give --tape.`);
    const batch: TapeRecord[] = [];
    for (const trade of trades) {
      const record = decodeTapeRecord(Buffer.from(encodeTrade(trade)));
      continuity.admit(record, 0, 'trade', batch);
    }
    if (batch.length === 0) return;
    yield batch;
    from = trades.at(-1)!.id + 1;
  }
}

/**
 * Records as bytes: JSON with a fixed field order and the shortest number form, so that equal records are equal bytes.
 * A trade keeps the exchange's own digits of price and volume.
 */
import { TapewatchError } from './error.ts';
import type { Anomaly, Bar, ControlRecord, TapeRecord, Trade, TradeText } from './records.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** `price` and `volume` must be JSON numbers as text; `symbol` must need no escaping (capture and readers see to it). */
export function encodeTrade(trade: TradeText): string {
  return `{"timestamp":${trade.timeUs / 1000},"symbol":"${trade.symbol}","id":${trade.id},"price":${trade.price},"volume":${trade.volume},"side":"${trade.side}"}`;
}

/** A trade stamped before what a heartbeat had promised: marked for people, the same trade to detection. */
export function encodeLateTrade(trade: TradeText): string {
  return `${encodeTrade(trade).slice(0, -1)},"late":true}`;
}

const CONTROL_FIELDS: { readonly [T in ControlRecord['type']]: readonly string[] } = {
  gap: ['type', 'symbol', 'timestamp', 'first', 'last', 'reason', 'since', 'epoch'],
  status: ['type', 'symbol', 'timestamp', 'status', 'epoch'],
  bar: [
    'type',
    'symbol',
    'timestamp',
    'open',
    'high',
    'low',
    'close',
    'volume',
    'quoteVolume',
    'trades',
    'takerBuyVolume',
    'epoch',
  ],
  feedback: ['type', 'symbol', 'timestamp', 'anomaly', 'kind', 'verdict'],
  heartbeat: ['type', 'timestamp', 'epoch'],
  activate: ['type', 'model', 'settings', 'from'],
};

export function encodeControl(record: ControlRecord): string {
  const source = record as unknown as Record<string, unknown>;
  const ordered: Record<string, unknown> = {};
  for (const field of CONTROL_FIELDS[record.type]) if (source[field] !== undefined) ordered[field] = source[field];
  return JSON.stringify(ordered);
}

/** @throws TapewatchError `record_invalid` with the reason that goes to the dead letters. */
export function decodeTapeRecord(bytes: Uint8Array): TapeRecord {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new TapewatchError('record_invalid', 'not a JSON record', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not a JSON object');
  const record = value as Record<string, unknown>;
  const type = record['type'];
  if (type === undefined) return decodeTrade(record);
  if (typeof type !== 'string' || !Object.hasOwn(CONTROL_FIELDS, type))
    throw invalid(`unknown type ${JSON.stringify(type)}`);
  checkControl(record, type as ControlRecord['type']);
  return record as unknown as ControlRecord;
}

function decodeTrade(record: Record<string, unknown>): Trade {
  const { timestamp, symbol, id, price, volume, side } = record;
  if (typeof symbol !== 'string' || symbol === '') throw invalid('symbol is missing');
  if (!isTime(timestamp)) throw invalid('timestamp is not a time in ms');
  if (!isId(id)) throw invalid('id is not a whole number');
  if (typeof price !== 'number' || !Number.isFinite(price) || price < 0)
    throw invalid('price is not a number of 0 or more');
  if (typeof volume !== 'number' || !Number.isFinite(volume) || volume < 0)
    throw invalid('volume is not a number of 0 or more');
  if (side !== 'buy' && side !== 'sell') throw invalid('side is neither "buy" nor "sell"');
  return { timestamp, symbol, id, price, volume, side };
}

function checkControl(record: Record<string, unknown>, type: ControlRecord['type']): void {
  const epoch = record['epoch'];
  if (epoch !== undefined && !isId(epoch)) throw invalid('epoch is not a whole number');
  if (type === 'activate') {
    if (!isTime(record['from'])) throw invalid('activate.from is not a time in ms');
    return;
  }
  if (!isTime(record['timestamp'])) throw invalid('timestamp is not a time in ms');
  if (type === 'heartbeat') return;
  if (typeof record['symbol'] !== 'string' || record['symbol'] === '') throw invalid('symbol is missing');
  if (type === 'gap') {
    for (const end of [record['first'], record['last']])
      if (end !== null && !isId(end)) throw invalid('gap ids are not whole numbers');
  }
  if (type === 'bar') {
    for (const field of ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades', 'takerBuyVolume']) {
      const number = record[field];
      if (typeof number !== 'number' || !Number.isFinite(number) || number < 0)
        throw invalid(`bar.${field} is not a number of 0 or more`);
    }
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 && value < 8.64e15;
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function invalid(reason: string): TapewatchError {
  return new TapewatchError('record_invalid', reason);
}

/** An anomaly as one line of JSON; the detector builds anomalies in wire order, which this relies on. */
export function encodeAnomaly(anomaly: Anomaly): string {
  return JSON.stringify(anomaly);
}

/** A bar as one line of JSON; built in wire order too. */
export function encodeBar(bar: Bar): string {
  return JSON.stringify(bar);
}

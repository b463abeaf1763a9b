/** One symbol: its price, its chart with score and anomalies, its tape. */
import { useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Anomaly } from '../../src/market/records.ts';
import { oddness } from '../../src/views/watch-row.ts';
import { address, setQuery } from './address.ts';
import { incidents } from './alerts.ts';
import { Chart } from './chart.tsx';
import { beat, change, now, rows } from './market.ts';
import { get } from './server.ts';
import { Tape } from './tape.tsx';
import { ago, decimalsOf, oddStep, percent, price, rarity } from './words.ts';

export const INTERVALS: readonly (readonly [number, string])[] = [
  [1, '1 s'],
  [5, '5 s'],
  [15, '15 s'],
  [60, '1 min'],
  [300, '5 min'],
];
const FIRST_INTERVAL_S = 5;
/** After so long the last second's score is no longer that of the present. */
const STILL_MS = 10_000;

export function SymbolView({ symbol }: { readonly symbol: string }) {
  const earlier = useSignal<readonly Anomaly[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    earlier.value = [];
    get<{ items: Anomaly[] }>(`v1/anomalies?symbol=${symbol}&limit=1000`, abort.signal).then(
      ({ items }) => {
        earlier.value = items;
      },
      () => undefined,
    );
    return () => abort.abort();
  }, [symbol]);
  const anomalies = useComputed(() => {
    const all = new Map(earlier.value.map((anomaly) => [anomaly.id, anomaly]));
    for (const incident of incidents.value)
      if (incident.symbol === symbol) for (const record of incident.records) all.set(record.id, record);
    return [...all.values()].sort((a, b) => a.timestamp - b.timestamp);
  });
  const interval_s = Number(address.value.query.get('interval')) || FIRST_INTERVAL_S;
  return (
    <div class="symbol-view">
      <SymbolHead symbol={symbol} interval_s={interval_s} />
      <div class="symbol-body">
        <Chart symbol={symbol} interval_s={interval_s} anomalies={anomalies.value} bars={null} />
        <Tape symbol={symbol} />
      </div>
    </div>
  );
}

function SymbolHead({ symbol, interval_s }: { readonly symbol: string; readonly interval_s: number }) {
  void beat.value;
  const row = rows.get(symbol);
  const share = row ? oddness(row.score, row.level) : 0;
  return (
    <header class="view-head">
      <h1>{symbol}</h1>
      {row && (
        <>
          <span class="big">{price(row.price, decimalsOf(row.price))}</span>
          <span class={change(row) >= 0 ? 'up' : 'down'}>{percent(change(row))} 1 h</span>
          <span class="fact">
            {now - row.timestamp > STILL_MS ? (
              <>
                <i>last trade</i> {ago(row.timestamp, now)}
              </>
            ) : row.score > 0 ? (
              <>
                <i>seen once in</i> <b class={`odd-text-${oddStep(share)}`}>{rarity(row.score)}</b>
              </>
            ) : (
              <i>as usual</i>
            )}
          </span>
          {row.level > 0 && (
            <span class="fact">
              <i>alerts from</i> {rarity(row.level)}
            </span>
          )}
        </>
      )}
      <div class="segments" role="group" aria-label="Length of a candle">
        {INTERVALS.map(([seconds, label]) => (
          <button
            key={seconds}
            type="button"
            aria-pressed={seconds === interval_s}
            onClick={() => setQuery('interval', seconds === FIRST_INTERVAL_S ? '' : String(seconds))}
          >
            {label}
          </button>
        ))}
      </div>
    </header>
  );
}

/** One anomaly: what happened, against what is usual, what part each number had, the very trades, and whether it holds. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { type Anomaly, type Bar, incidentOf, type Trade } from '../../src/market/records.ts';
import { KIND_WORDS } from '../../src/market/words.ts';
import { hrefOf } from './address.ts';
import { acknowledge, dismiss, incidents } from './alerts.ts';
import { Chart } from './chart.tsx';
import { get } from './server.ts';
import {
  clock,
  clockFine,
  day,
  decimalsOf,
  detailOf,
  featureRange,
  featureValue,
  featureWords,
  kindName,
  onceIn,
  phaseWord,
  price,
  short,
} from './words.ts';
import { TokenForm, useWrite } from './write.tsx';

interface Evidence {
  readonly anomaly: Anomaly;
  readonly story: readonly Anomaly[];
  readonly trades: readonly Trade[];
  readonly bars: readonly Bar[];
}

const TRADES_SHOWN = 200;
/** Length of a candle around an anomaly, s. */
const AROUND_S = 5;

export function AnomalyView({ id }: { readonly id: string }) {
  const evidence = useSignal<Evidence | null>(null);
  const fault = useSignal('');
  const grown = incidents.value.find((incident) => incident.id === incidentOf(id))?.records.length ?? 0;
  useEffect(() => {
    const abort = new AbortController();
    get<Evidence>(`v1/anomalies/${encodeURIComponent(id)}/evidence`, abort.signal).then(
      (answer) => {
        evidence.value = answer;
        fault.value = '';
      },
      (error: unknown) => {
        if (!abort.signal.aborted) fault.value = error instanceof Error ? error.message : String(error);
      },
    );
    return () => abort.abort();
  }, [id, grown]);
  if (fault.value && !evidence.value) return <p class="empty">{fault.value}</p>;
  if (!evidence.value) return <p class="empty">Loading the evidence…</p>;
  return <Explained {...evidence.value} />;
}

function Explained({ anomaly, story, trades, bars }: Evidence) {
  const { symbol, kind, severity, timestamp, direction } = anomaly;
  const words = KIND_WORDS[kind];
  const marked = useMemo(() => story.filter(({ phase }) => phase !== 'close'), [story]);
  // The chart begins anew with other bars: it shall keep those of its first answer.
  const around = useMemo(() => bars, [anomaly.id]);
  const way = kind === 'pump' || kind === 'dump' ? 'none' : direction;
  return (
    <article class="anomaly" aria-labelledby="anomaly-title">
      <header class="view-head">
        <h1 id="anomaly-title">
          <a href={hrefOf({ view: 'symbol', symbol })}>{symbol}</a> {kindName(kind)}{' '}
          {way !== 'none' && <span class={way}>{way}</span>}
        </h1>
        <span class={`badge ${severity}`}>{severity}</span>
        <Actions anomaly={anomaly} />
      </header>
      <div class="anomaly-body">
        <p class="lead">
          {words?.sentence ?? anomaly.summary} <b>This is seen here {onceIn(anomaly.return_period_s)}.</b>
          <span class="muted summary">
            <time dateTime={new Date(timestamp).toISOString()}>
              {day(timestamp)} {clockFine(timestamp)} UTC
            </time>
            <span>{detailOf(anomaly.summary)}</span>
          </span>
        </p>
        <Comparison anomaly={anomaly} />
        <section class="card chart-card" aria-label="Around it">
          <h2>Ten minutes around it</h2>
          {around.length > 0 ? (
            <Chart symbol={symbol} interval_s={AROUND_S} anomalies={marked} bars={around} />
          ) : (
            <p class="empty">Bars of that time are no longer at hand.</p>
          )}
        </section>
        <Story story={story} current={anomaly.id} />
        <Recompute anomaly={anomaly} />
        <Trades trades={trades} anomaly={anomaly} />
      </div>
    </article>
  );
}

function Actions({ anomaly }: { readonly anomaly: Anomaly }) {
  const write = useWrite();
  const copied = useSignal(false);
  const incident = incidents.value.find(({ id }) => id === incidentOf(anomaly.id));
  const share = async (): Promise<void> => {
    const link = location.href;
    if (navigator.share && matchMedia('(pointer: coarse)').matches)
      await navigator.share({ url: link }).catch(() => undefined);
    else await navigator.clipboard?.writeText(link);
    copied.value = true;
    setTimeout(() => {
      copied.value = false;
    }, 2000);
  };
  return (
    <>
      <div class="actions">
        <button type="button" onClick={() => void share()}>
          {copied.value ? 'Link copied' : 'Copy link'}
        </button>
        {incident && (
          <>
            <button
              type="button"
              disabled={incident.acknowledged}
              onClick={() => write.run(() => acknowledge(incident))}
            >
              {incident.acknowledged ? 'Acknowledged' : 'Acknowledge'}
            </button>
            <button type="button" disabled={incident.dismissed} onClick={() => write.run(() => dismiss(incident))}>
              {incident.dismissed ? 'Marked not interesting' : 'Not interesting'}
            </button>
          </>
        )}
      </div>
      <TokenForm write={write} />
    </>
  );
}

/** Each number with its usual range, and its part in the score as a bar. */
function Comparison({ anomaly }: { readonly anomaly: Anomaly }) {
  const { actual, expected, contributions, symbol } = anomaly;
  const names = Object.keys(actual);
  if (names.length === 0) return null;
  const shareOf = (name: string): number => contributions.find(({ feature }) => feature === name)?.share ?? 0;
  return (
    <section class="card" aria-label="Expected and actual">
      <h2>What was unusual</h2>
      <table class="comparison">
        <thead>
          <tr>
            <th scope="col">Measured</th>
            <th scope="col" class="number">
              It was
            </th>
            <th scope="col" class="number">
              Usually
            </th>
            <th scope="col">Part in the score</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => {
            const { name: label, unit, window_s } = featureWords(name);
            const usual = expected[name];
            const share = shareOf(name);
            return (
              <tr key={name}>
                <th scope="row">
                  {label}
                  {window_s !== null && <span class="muted"> in {window_s} s</span>}
                </th>
                <td class="number">
                  <b>{featureValue(actual[name]!, unit, symbol)}</b>
                </td>
                <td class="number muted">{usual && featureRange(usual, unit, symbol)}</td>
                <td>
                  <span class="share" style={{ '--share': share }}>
                    <i />
                  </span>
                  <span class="share-text">{Math.round(share * 100)} %</span>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function Story({ story, current }: { readonly story: readonly Anomaly[]; readonly current: string }) {
  return (
    <section class="card" aria-label="The incident">
      <h2>The incident</h2>
      <ol class="story">
        {story.map((record) => (
          <li key={record.id} class={record.id === current ? 'selected' : ''}>
            <a
              href={hrefOf({ view: 'anomaly', id: record.id })}
              aria-current={record.id === current ? 'true' : undefined}
            >
              <span class="number">{clock(record.timestamp)}</span>
              <span class={`badge ${record.phase === 'close' ? '' : record.severity}`}>
                {record.phase === 'close' ? 'closed' : record.severity}
              </span>
              <span>
                {record.phase === 'close' ? record.summary : `${kindName(record.kind)} ${phaseWord(record.phase)}`}
              </span>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}

interface Recomputed {
  readonly verdict: 'same' | 'differs' | 'other';
  readonly anomaly: Anomaly | null;
  readonly detail?: string;
}

function Recompute({ anomaly }: { readonly anomaly: Anomaly }) {
  const answer = useSignal<Recomputed | string | null>(null);
  const busy = useSignal(false);
  const { evidence } = anomaly;
  useEffect(() => {
    answer.value = null;
  }, [anomaly.id]);
  const recompute = async (): Promise<void> => {
    busy.value = true;
    try {
      answer.value = await get<Recomputed>(`v1/anomalies/${encodeURIComponent(anomaly.id)}/recompute`);
    } catch (error) {
      answer.value = error instanceof Error ? error.message : String(error);
    }
    busy.value = false;
  };
  return (
    <section class="card" aria-label="Proof">
      <h2>Does it hold?</h2>
      <dl class="facts">
        <dt>Score</dt>
        <dd class="number">{anomaly.score}</dd>
        <dt>Return period</dt>
        <dd class="number">{short(anomaly.return_period_s)} s</dd>
        <dt>z, forest</dt>
        <dd class="number">
          {anomaly.zscore}, {anomaly.forest}
        </dd>
        <dt>Trades</dt>
        <dd class="number">
          {evidence.firstTradeId} to {evidence.lastTradeId}
        </dd>
        <dt>Model</dt>
        <dd class="number" title={evidence.model}>
          {evidence.model.slice(0, 19)}
        </dd>
        <dt>Settings</dt>
        <dd class="number" title={evidence.settings}>
          {evidence.settings.slice(0, 19)}
        </dd>
        <dt>Detector</dt>
        <dd class="number">{evidence.detector}</dd>
      </dl>
      <button type="button" disabled={busy.value} onClick={() => void recompute()}>
        {busy.value ? 'Recomputing…' : 'Recompute from the tape'}
      </button>
      <p aria-live="polite" class="verdict">
        <Verdict answer={answer.value} />
      </p>
    </section>
  );
}

function Verdict({ answer }: { readonly answer: Recomputed | string | null }) {
  if (answer === null) return null;
  if (typeof answer === 'string') return <>{answer}</>;
  if (answer.verdict === 'same') return <b class="up">The tape gives the same record, byte for byte.</b>;
  if (answer.verdict === 'differs')
    return (
      <b class="down">
        It differs
        {answer.anomaly ? `: the tape gives a score of ${answer.anomaly.score}` : ': the tape gives no such anomaly'}.
      </b>
    );
  return <>{answer.detail ?? 'It was raised by another version of the detector.'}</>;
}

function Trades({ trades, anomaly }: { readonly trades: readonly Trade[]; readonly anomaly: Anomaly }) {
  const { firstTradeId, lastTradeId } = anomaly.evidence;
  const all = lastTradeId - firstTradeId + 1;
  const shown = trades.slice(-TRADES_SHOWN).reverse();
  const largest = Math.max(...shown.map(({ price: at, volume }) => at * volume), 0);
  return (
    <section class="card trades-card" aria-label="The trades">
      <h2>{shown.length < all ? `The last ${shown.length} of its ${all} trades` : `Its ${all} trades`}</h2>
      <div class="table-scroll" tabIndex={0} role="region" aria-label="Table of trades">
        <table class="trades-table">
          <thead>
            <tr>
              <th scope="col">UTC</th>
              <th scope="col">Side</th>
              <th scope="col" class="number">
                Price
              </th>
              <th scope="col" class="number">
                Volume
              </th>
              <th scope="col" class="number">
                Value
              </th>
              <th scope="col" class="number wide">
                Id
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ id, timestamp, side, price: at, volume }) => (
              <tr key={id} class={side} style={{ '--share': largest > 0 ? (at * volume) / largest : 0 }}>
                <td class="number muted">{clockFine(timestamp)}</td>
                <td class={side === 'buy' ? 'up' : 'down'}>{side}</td>
                <td class="number">{price(at, decimalsOf(at))}</td>
                <td class="number">{short(volume)}</td>
                <td class="number value">{short(at * volume)}</td>
                <td class="number wide muted">{id}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && <p class="empty">These trades are no longer at hand.</p>}
    </section>
  );
}

/** How the path from exchange to page is, in words a trader uses; and the banners when it is not well. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { isFeedLost, report } from './health.ts';
import { now, rows, tick } from './market.ts';
import { link } from './stream.ts';
import { ago, duration, short } from './words.ts';

type State = 'good' | 'fair' | 'bad';

interface Line {
  readonly name: string;
  readonly state: State;
  readonly text: string;
  readonly note?: string;
}

export function overall(): { readonly state: State; readonly text: string } {
  if (link.value.state === 'gone') return { state: 'bad', text: 'server gone' };
  if (link.value.state === 'connecting') return { state: 'fair', text: 'connecting' };
  const at = report.value;
  if (!at) return { state: 'fair', text: 'asking' };
  if (isFeedLost(at)) return { state: 'bad', text: 'feed lost' };
  if (at.health.notReady !== null) return { state: 'fair', text: 'restoring' };
  if (at.health.lag > 20_000) return { state: 'fair', text: 'behind' };
  return { state: 'good', text: at.rate === null ? 'live' : `${short(Math.round(at.rate))} trades/s` };
}

export function HealthView() {
  void tick.value;
  return (
    <section class="health" aria-labelledby="health-title">
      <header class="view-head">
        <h1 id="health-title">Health</h1>
        <span class="muted">{report.value ? `Tapewatch ${report.value.health.version}` : ''}</span>
      </header>
      <dl class="health-list">
        {lines().map(({ name, state, text, note }) => (
          <div key={name}>
            <dt>
              <span class={`dot ${state}`} aria-hidden="true" />
              {name}
            </dt>
            <dd>
              {text}
              {note && <span class="muted">{note}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function lines(): readonly Line[] {
  const at = report.value;
  const server: Line =
    link.value.state === 'open'
      ? { name: 'Server', state: 'good', text: 'Answers; this page is live.' }
      : { name: 'Server', state: 'bad', text: 'Does not answer. Trying again by itself.' };
  if (!at) return [server];
  const { feed, holes, lag, restore_s, model, notReady, memory_bytes } = at.health;
  const connected = feed.connections.filter((connection) => connection.connected).length;
  const halted = [...rows.values()].filter(({ halted: is }) => is).map(({ symbol }) => symbol);
  return [
    server,
    {
      name: 'Feed',
      state: isFeedLost(at) ? 'bad' : connected < feed.connections.length ? 'fair' : 'good',
      text:
        feed.connections.length === 0
          ? 'Captured by another process.'
          : isFeedLost(at)
            ? 'Lost: no connection to the exchange stands. What is missed will be fetched when it is back.'
            : `${connectedWords(connected, feed.connections.length)}${at.rate === null ? '' : `, ${short(Math.round(at.rate))} trades a second`}.`,
      ...(feed.lastTradeAt === null ? {} : { note: `Last trade came ${ago(feed.lastTradeAt, at.at)}.` }),
    },
    {
      name: 'Exchange',
      state: halted.length > 0 ? 'fair' : 'good',
      text: halted.length > 0 ? `Trading is halted in ${listed(halted)}.` : 'No symbol is halted.',
    },
    {
      name: 'Holes in the tape',
      state: holes.lost > 0 ? 'fair' : 'good',
      text:
        holes.repaired + holes.lost === 0
          ? 'None.'
          : `${short(holes.repaired)} missing trades fetched, ${short(holes.lost)} lost for good.`,
      ...(holes.lost > 0
        ? { note: 'What is lost stands on the tape as a gap and is never taken for a fall in volume.' }
        : {}),
    },
    {
      name: 'Scoring',
      state: notReady !== null || lag > 20_000 ? 'fair' : 'good',
      text:
        notReady ??
        (lag > 2000 ? `${short(lag)} records behind: alerts come late.` : 'Keeps up: alerts come as trades do.'),
      ...(restore_s === null ? {} : { note: `State was restored in ${duration(restore_s)}.` }),
    },
    {
      name: 'Market time',
      state: 'good',
      text: now > 0 ? new Date(now).toISOString().replace('T', ' ').slice(0, 19) : 'No trade yet.',
    },
    { name: 'Model', state: 'good', text: model ? model.slice(0, 23) : 'The one shipped.' },
    { name: 'Memory of the server', state: 'good', text: `${short(memory_bytes / 1e6)} MB` },
  ];
}

function connectedWords(connected: number, all: number): string {
  return connected === all
    ? `Connected to the exchange${all > 1 ? ` ${all} times over` : ''}`
    : `Only ${connected} of ${all} connections to the exchange stand`;
}

/** Feed lost, exchange halted and server gone are three different things, and look and read so. */
export function Banners() {
  const back = useSignal<number | null>(null);
  useEffect(() => {
    let goneSince: number | null = null;
    const off = link.subscribe(({ state, since }) => {
      if (state === 'gone') goneSince ??= since;
      if (state === 'open' && goneSince !== null) {
        back.value = Date.now() - goneSince;
        goneSince = null;
        setTimeout(() => {
          back.value = null;
        }, 8000);
      }
    });
    return off;
  }, []);
  void tick.value;
  const { state, since } = link.value;
  const gone = state === 'gone' ? Math.round((Date.now() - since) / 1000) : null;
  const feedLost = gone === null && report.value !== null && isFeedLost(report.value);
  const halted = [...rows.values()].filter((row) => row.halted).map(({ symbol }) => symbol);
  return (
    <div class="banners" role="status">
      {gone !== null && (
        <p class="banner gone">
          <b>The server is gone</b>
          {/* Each second's count is seen, but not said. */}
          <span aria-hidden="true">{gone >= 1 ? ` for ${duration(gone)}` : ''}</span>. What you see is old. Trying again
          by itself.
        </p>
      )}
      {back.value !== null && (
        <p class="banner back">
          <b>Back</b> after {duration(back.value / 1000)}. What happened meanwhile has been loaded.
        </p>
      )}
      {feedLost && (
        <p class="banner lost">
          <b>Feed lost.</b> The exchange can’t be reached; prices stand still here, not there. Missed trades will be
          fetched.
        </p>
      )}
      {halted.length > 0 && (
        <p class="banner halted">
          <b>The exchange halted trading</b> in {listed(halted)}. The feed is fine; there are no trades to show.
        </p>
      )}
    </div>
  );
}

function listed(symbols: readonly string[]): string {
  return symbols.length <= 4 ? symbols.join(', ') : `${symbols.slice(0, 3).join(', ')} and ${symbols.length - 3} more`;
}

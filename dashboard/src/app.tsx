/** The page: what is odd on the left, what is looked at in the middle, alerts on the right; on a phone one at a time. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { address, go, hrefOf, type Place, setQuery } from './address.ts';
import { AlertFeed, AlertsView } from './alert-list.tsx';
import { announced, incidents } from './alerts.ts';
import { AnomalyView } from './anomaly-view.tsx';
import { Banners, HealthView, overall } from './health-view.tsx';
import { MarketStrip, MarketView } from './market-view.tsx';
import { isDark, isNarrow, theme } from './preferences.ts';
import { INTERVALS, SymbolView } from './symbol-view.tsx';
import { WatchList } from './watch-list.tsx';

export function App() {
  const help = useSignal(false);
  const { place } = address.value;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void =>
      atKey(event, () => {
        help.value = !help.value;
      });
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
  useEffect(() => {
    document.title = titleOf(place);
  }, [place]);
  return (
    <div class={`page at-${place.view}`}>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById(isNarrow.value && place.view === 'watch' ? 'symbols' : 'main')?.focus();
        }}
      >
        To the view
      </a>
      <TopBar
        onHelp={() => {
          help.value = true;
        }}
      />
      <Banners />
      <p class="hidden" aria-live="polite">
        <Announced />
      </p>
      <div class="columns">
        <WatchList />
        <main id="main" tabIndex={-1}>
          <Main place={place} />
        </main>
        <AlertFeed />
      </div>
      <nav class="tabs" aria-label="Views">
        <Tab place={{ view: 'watch' }} label="Watch" here={place.view === 'watch' || place.view === 'symbol'} />
        <Tab place={{ view: 'market' }} label="Market" here={place.view === 'market'} />
        <Tab place={{ view: 'alerts' }} label="Alerts" here={place.view === 'alerts' || place.view === 'anomaly'} />
        <Tab place={{ view: 'health' }} label="Health" here={place.view === 'health'} />
      </nav>
      {help.value && (
        <Help
          onClose={() => {
            help.value = false;
          }}
        />
      )}
    </div>
  );
}

function Announced() {
  return <>{announced.value}</>;
}

function Main({ place }: { readonly place: Place }) {
  switch (place.view) {
    case 'symbol':
      return <SymbolView key={place.symbol} symbol={place.symbol} />;
    case 'anomaly':
      return <AnomalyView id={place.id} />;
    case 'alerts':
      return <AlertsView />;
    case 'health':
      return <HealthView />;
    default:
      return <MarketView />;
  }
}

function titleOf(place: Place): string {
  const what = place.view === 'symbol' ? place.symbol : place.view === 'anomaly' ? place.id : null;
  return what ? `${what} · Tapewatch` : 'Tapewatch';
}

function TopBar({ onHelp }: { readonly onHelp: () => void }) {
  const { state, text } = overall();
  const open = incidents.value.filter(({ isOpen, dismissed }) => isOpen && !dismissed).length;
  return (
    <header class="top">
      <a class="brand" href={hrefOf({ view: 'watch' })}>
        <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
          <path d="M2 20h6l3-4 3 4h2l3-13 3 17 2-4h6" />
        </svg>
        Tapewatch
      </a>
      <MarketStrip />
      <span class="top-space" />
      <a class="top-link" href={hrefOf({ view: 'alerts' })}>
        Alerts <b>{open}</b>
        <span class="muted"> open</span>
      </a>
      <a class="top-link" href={hrefOf({ view: 'health' })}>
        <span class={`dot ${state}`} aria-hidden="true" />
        <span class="hidden">Health: </span>
        {text}
      </a>
      <button
        type="button"
        class="icon"
        aria-label={isDark.value ? 'Light theme' : 'Dark theme'}
        title="Light or dark (t)"
        onClick={turnTheme}
      >
        {isDark.value ? '☀' : '☾'}
      </button>
      <button type="button" class="icon" aria-label="Keys" title="Keys (?)" onClick={onHelp}>
        ?
      </button>
    </header>
  );
}

function turnTheme(): void {
  theme.value = isDark.value ? 'light' : 'dark';
}

function Tab({ place, label, here }: { readonly place: Place; readonly label: string; readonly here: boolean }) {
  return (
    <a href={hrefOf(place)} aria-current={here ? 'page' : undefined}>
      {label}
    </a>
  );
}

const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'search symbols'],
  ['↑ ↓', 'in the watch list: the symbol above or below'],
  ['← →', 'in a chart: candle by candle; Shift for ten; Enter opens its anomaly'],
  ['+ −', 'in a chart: zoom; End goes to the present'],
  ['1 … 5', 'length of a candle'],
  ['w  m  a  h', 'watch list, market, alerts, health'],
  ['t', 'light or dark'],
  ['?', 'this list'],
];

function Help({ onClose }: { readonly onClose: () => void }) {
  return (
    <dialog
      class="help"
      aria-label="Keys"
      ref={(dialog) => {
        if (dialog && !dialog.open) dialog.showModal();
      }}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </dialog>
  );
}

function atKey(event: KeyboardEvent, toggleHelp: () => void): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches('input, select, textarea')) {
    if (event.key === 'Escape') target.blur();
    return;
  }
  const { place } = address.value;
  const interval = INTERVALS[Number(event.key) - 1];
  if (event.key === '/') document.getElementById('search')?.focus();
  else if (event.key === '?') toggleHelp();
  else if (event.key === 't') turnTheme();
  else if (event.key === 'w') {
    go({ view: 'watch' });
    document.querySelector<HTMLElement>('.watch-grid')?.focus();
  } else if (event.key === 'm') go({ view: 'market' });
  else if (event.key === 'a') go({ view: 'alerts' });
  else if (event.key === 'h') go({ view: 'health' });
  else if (interval && place.view === 'symbol') setQuery('interval', interval[0] === 5 ? '' : String(interval[0]));
  else return;
  event.preventDefault();
}

/** Starts the page: the first answer, then the stream. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { address } from './address.ts';
import * as alerts from './alerts.ts';
import { App } from './app.tsx';
import { watch as watchHealth } from './health.ts';
import * as market from './market.ts';
import { get } from './server.ts';
import { followTrades, run } from './stream.ts';
import './style.css';

const RETRY_MS = 1000;
/** How often a page that stays open asks what an hour ago was. */
const RENEW_MS = 60_000;

async function loadAll(): Promise<void> {
  try {
    market.load(await get<market.WatchAnswer>(`v1/watch?steps=${market.STEPS}&length=${market.STEP_S}`));
    await alerts.load();
  } catch {
    setTimeout(() => void loadAll(), RETRY_MS);
  }
}

async function renew(): Promise<void> {
  if (document.visibilityState === 'hidden') return;
  // The stream tells when the server is gone.
  await get<market.WatchAnswer>('v1/watch?steps=1').then(market.renew, () => undefined);
}

effect(() => {
  const { place } = address.value;
  followTrades(place.view === 'symbol' ? place.symbol : null);
});
effect(() => {
  if (market.isIncomplete.value) setTimeout(() => void loadAll(), RETRY_MS);
});
render(<App />, document.getElementById('page')!);
watchHealth();
void loadAll();
void run({
  anomaly: alerts.take,
  bar: market.takeBar,
  status: market.takeStatus,
  annotation: alerts.takeAnnotation,
  trades: market.takeTrades,
  back: () => void loadAll(),
});
setInterval(() => void renew(), RENEW_MS);
document.addEventListener('visibilitychange', () => void renew());
// What stands still has to be seen to grow old.
setInterval(() => {
  market.changed();
  market.tick.value++;
}, 1000);

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

async function loadAll(): Promise<void> {
  try {
    market.load(await get<market.WatchAnswer>(`v1/watch?steps=${market.STEPS}&length=${market.STEP_S}`));
    await alerts.load();
  } catch {
    setTimeout(() => void loadAll(), RETRY_MS);
  }
}

effect(() => {
  const { place } = address.value;
  followTrades(place.view === 'symbol' ? place.symbol : null);
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
// What stands still has to be seen to grow old.
setInterval(() => {
  market.changed();
  market.tick.value++;
}, 1000);

/** Held against prom-client's own: or dashboards and objectives would read something else from the API's latency. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { Random } from '../../src/market/random.ts';
import { SeriesHistogram } from '../../src/observe/series-histogram.ts';

test('the text that is scraped is prom-client’s, for the same observations', async () => {
  const seed = Number(process.env['TAPEWATCH_SEED'] ?? 1);
  const random = new Random(seed);
  const [ours, theirs] = [new Registry(), new Registry()];
  const options = {
    name: 'seconds',
    help: 'Time to answer.',
    labelNames: ['method', 'route'],
    buckets: [0.1, 0.25, 1, 4],
  };
  const histogram = new SeriesHistogram({ ...options, registry: ours });
  const peer = new Histogram({ ...options, registers: [theirs] });
  assert.equal(await ours.metrics(), await theirs.metrics());
  for (let i = 0; i < 2000; i++) {
    const labels = { method: random.next() < 0.5 ? 'GET' : 'POST', route: random.next() < 0.5 ? '/a' : '/b"\\\n' };
    const value = random.next() < 0.1 ? options.buckets[Math.floor(4 * random.next())]! : 8 * random.next() ** 3;
    histogram.labels(labels).observe(value);
    peer.labels(labels).observe(value);
  }
  assert.equal(await ours.metrics(), await theirs.metrics(), `seed ${seed}`);
  ours.resetMetrics();
  theirs.resetMetrics();
  assert.equal(await ours.metrics(), await theirs.metrics());
});

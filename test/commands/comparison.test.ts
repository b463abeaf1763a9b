/** What decides whether a model is switched on: an incident paired wrongly would hide what it would have missed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, countsBy, countsOf, incidentsOf, medianDelay_s } from '../../src/commands/comparison.ts';
import type { Anomaly, Severity } from '../../src/market/records.ts';

type Given = readonly [id: string, second: number, phase: Anomaly['phase'], severity?: Severity];

function records(...given: Given[]): Anomaly[] {
  const n = new Map<string, number>();
  return given.map(([id, second, phase, severity = 'notice']) => {
    n.set(id, (n.get(id) ?? -1) + 1);
    const [symbol] = id.split(':') as [string];
    const kind = 'volume_burst';
    return { id: `${id}:${n.get(id)}`, symbol, timestamp: second * 1000, kind, phase, severity } as unknown as Anomaly;
  });
}

test('incidents that were open together are one, the nearest first; the rest stands alone', () => {
  const active = records(
    ['A:market:1', 100, 'open'],
    ['A:market:1', 130, 'escalate', 'critical'],
    ['A:market:1', 800, 'close', 'critical'],
    ['A:market:9', 2000, 'open'],
    ['A:data:5', 100, 'open'],
    ['B:market:1', 100, 'open', 'warning'],
  );
  const other = records(
    // Opened as long before as the next one after, but closed by then.
    ['A:market:0', 10, 'open'],
    ['A:market:0', 90, 'close'],
    ['A:market:2', 104, 'open', 'warning'],
    ['A:market:2', 700, 'close', 'warning'],
    ['A:market:4', 750, 'open'],
    ['A:market:4', 760, 'close'],
    ['B:market:2', 150, 'open', 'critical'],
    ['C:market:1', 100, 'open'],
  );
  const found = compare(incidentsOf(active), incidentsOf(other));
  assert.deepEqual(
    found.both.map((pair) => [pair.active.id, pair.other.id]),
    [
      ['A:market:1', 'A:market:2'],
      ['B:market:1', 'B:market:2'],
    ],
  );
  assert.deepEqual(
    found.activeAlone.map(({ id }) => id),
    ['A:data:5', 'A:market:9'],
  );
  assert.deepEqual(
    found.otherAlone.map(({ id }) => id),
    ['A:market:0', 'C:market:1', 'A:market:4'],
  );
  assert.deepEqual(countsOf(found), { both: 2, activeAlone: 2, otherAlone: 3, moreSevere: 1, lessSevere: 1 });
  assert.deepEqual([...countsBy(found, ({ symbol }) => symbol).keys()], ['A', 'B', 'C']);
  assert.equal(medianDelay_s(found.both), 50);
});

test('the same against itself is the same', () => {
  const incidents = incidentsOf(
    records(['A:market:1', 1, 'open'], ['A:market:1', 2, 'close'], ['A:market:3', 2, 'open']),
  );
  const { both, activeAlone, otherAlone } = compare(incidents, incidents);
  assert.deepEqual([both.length, activeAlone.length, otherAlone.length], [2, 0, 0]);
  assert.ok(both.every(({ active, other }) => active.id === other.id));
});

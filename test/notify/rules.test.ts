/** Which records a sink is told of: a rule that lets too much through wakes somebody, one that lets too little loses an alert. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Anomaly } from '../../src/market/records.ts';
import { type SinkRules, wants } from '../../src/notify/rules.ts';
import { specimen } from '../contract/notifier.ts';

const NIGHT = Date.UTC(2026, 0, 5, 23, 30);
const DAY = Date.UTC(2026, 0, 5, 12);
const record = (more: Partial<Anomaly> = {}): Anomaly => ({ ...specimen, timestamp: DAY, ...more });

const cases: readonly (readonly [string, SinkRules, Partial<Anomaly>, boolean])[] = [
  ['no rule allows everything', {}, { severity: 'notice' }, true],
  ['what joins is not told', {}, { phase: 'update' }, false],
  ['what grew worse is told', {}, { phase: 'escalate' }, true],
  ['a symbol on the list', { symbols: ['BTCUSDT'] }, {}, true],
  ['a symbol not on the list', { symbols: ['ETHUSDT'] }, {}, false],
  ['a kind on the list', { kinds: ['pump', 'volume_burst'] }, {}, true],
  ['a kind not on the list', { kinds: ['pump', 'dump'] }, {}, false],
  ['just severe enough', { least_severity: 'warning' }, { severity: 'warning' }, true],
  ['not severe enough', { least_severity: 'warning' }, { severity: 'notice' }, false],
  ['all rules must hold', { symbols: ['BTCUSDT'], kinds: ['pump'] }, {}, false],
  ['by day', { quiet_hours: ['22:00-06:30'] }, {}, true],
  ['by night', { quiet_hours: ['22:00-06:30'] }, { timestamp: NIGHT }, false],
  [
    'worse than the night keeps quiet',
    { quiet_hours: ['22:00-06:30'], through_quiet_hours: 'critical' },
    { timestamp: NIGHT, severity: 'critical' },
    true,
  ],
  [
    'not bad enough for the night',
    { quiet_hours: ['22:00-06:30'], through_quiet_hours: 'critical' },
    { timestamp: NIGHT, severity: 'warning' },
    false,
  ],
  ['the second of two periods', { quiet_hours: ['01:00-02:00', '11:00-13:00'] }, {}, false],
  ['its end is no longer quiet', { quiet_hours: ['11:00-12:00'] }, {}, true],
];

for (const [name, rules, more, told] of cases)
  test(`${name}: ${told ? 'told' : 'not told'}`, () => {
    assert.equal(wants(rules, record(more)), told);
  });

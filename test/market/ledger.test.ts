import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IdLedger } from '../../src/market/ledger.ts';
import type { TradeText } from '../../src/market/records.ts';

const trade = (id: number): TradeText => ({ timeUs: id, symbol: 'X', id, price: '1', volume: '1', side: 'buy' });

test('whatever order trades come in, each leaves once and in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 5, max: 40 }), { maxLength: 120 }), (ids) => {
      const ledger = new IdLedger(4);
      const out: TradeText[] = [];
      for (const id of ids) ledger.push(trade(id), out);
      for (let hole = ledger.hole(); hole; hole = ledger.hole()) ledger.push(trade(hole.first), out);
      assert.deepEqual(
        out.map(({ id }) => id),
        Array.from({ length: out.length }, (_, i) => 5 + i),
      );
      assert.ok(ids.every((id) => id <= ledger.lastId));
    }),
  );
});

test('what is given up is passed over, and what was held back follows', () => {
  const ledger = new IdLedger(1);
  const out: TradeText[] = [];
  ledger.push(trade(5), out);
  ledger.push(trade(6), out);
  assert.deepEqual(ledger.hole(), { first: 2, last: 4 });
  ledger.skip(4, out);
  assert.deepEqual(
    out.map(({ id }) => id),
    [5, 6],
  );
  assert.equal(ledger.heldBack, 0);
});

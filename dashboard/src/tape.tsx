/** The tape of one symbol, newest on top; large and rushing orders stand out. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Trade } from '../../src/market/records.ts';
import { onTrades } from './market.ts';
import { type Order, OrderTape, RUSH_FILLS } from './orders.ts';
import { get } from './server.ts';
import { baseAsset, clock, decimalsOf, price, quoteAsset, short } from './words.ts';

const SHOWN = 60;
const REDRAW_MS = 200;

export function Tape({ symbol }: { readonly symbol: string }) {
  const tape = useRef(new OrderTape(SHOWN));
  const drawn = useSignal(0);
  useEffect(() => {
    const mine = new OrderTape(SHOWN);
    tape.current = mine;
    let early: Trade[] | null = [];
    let isFresh = true;
    const off = onTrades((trades) => {
      const own = trades.filter((trade) => trade.symbol === symbol);
      if (early) early.push(...own);
      else mine.take(own);
      isFresh = true;
    });
    const timer = setInterval(() => {
      if (isFresh) drawn.value++;
      isFresh = false;
    }, REDRAW_MS);
    const begin = (trades: readonly Trade[]): void => {
      mine.take(trades);
      mine.take(early ?? []);
      early = null;
      isFresh = true;
    };
    const abort = new AbortController();
    get<{ items: Trade[] }>(`v1/trades?symbol=${symbol}&limit=1000`, abort.signal).then(
      ({ items }) => begin(items),
      () => abort.signal.aborted || begin([]),
    );
    drawn.value++;
    return () => {
      abort.abort();
      off();
      clearInterval(timer);
    };
  }, [symbol]);
  void drawn.value;
  const orders = tape.current.orders();
  const decimals = orders[0] ? decimalsOf(orders[0].price) : 2;
  return (
    <section class="tape" aria-label={`Tape of ${symbol}`}>
      <div class="tape-head" aria-hidden="true">
        <span>UTC</span>
        <span>Price</span>
        <span>{baseAsset(symbol)}</span>
        <span>{quoteAsset(symbol)}</span>
      </div>
      <ol tabIndex={0} aria-label="Orders, newest first">
        {orders.map((order) => (
          <OrderLine key={order.key} order={order} size={tape.current.sizeOf(order)} decimals={decimals} />
        ))}
      </ol>
      {orders.length === 0 && <p class="empty">Waiting for a trade.</p>}
    </section>
  );
}

const SIZES = ['', 'large', 'huge'] as const;

function OrderLine({ order, size, decimals }: { order: Order; size: 0 | 1 | 2; decimals: number }) {
  const rushes = order.fills >= RUSH_FILLS;
  return (
    <li class={`${order.side} ${SIZES[size]} ${rushes ? 'rush' : ''}`}>
      <span class="muted">{clock(order.timestamp)}</span>
      <span>
        <span class="hidden">{order.side} </span>
        {price(order.price, decimals)}
      </span>
      <span>{short(order.volume)}</span>
      <span>
        {rushes && (
          <abbr title={`One order, ${order.fills} fills`} class="fills">
            ×{order.fills}
          </abbr>
        )}
        {short(order.value)}
      </span>
    </li>
  );
}

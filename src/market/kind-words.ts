/** What each kind is called, and what it means in a sentence. Pure. */
import type { Kind } from './records.ts';

export interface KindWords {
  readonly name: string;
  readonly sentence: string;
}

export const KIND_WORDS: Readonly<Record<Kind, KindWords>> = {
  price_jump: { name: 'Price jump', sentence: 'The price moved further than it usually does in so short a time.' },
  flash_crash: { name: 'Flash crash', sentence: 'The price fell steeply and came back within moments.' },
  volume_burst: { name: 'Volume burst', sentence: 'Far more money changed hands than is usual here.' },
  trade_rate_burst: { name: 'Trade burst', sentence: 'Trades came far faster than is usual here.' },
  rush_orders: { name: 'Rush orders', sentence: 'Takers swept many price levels with single orders.' },
  large_trade: { name: 'Large trade', sentence: 'One order was far larger than those before it.' },
  one_sided_flow: { name: 'One-sided flow', sentence: 'Nearly all takers stood on the same side.' },
  pump: { name: 'Pump', sentence: 'Buyers pushed the price up together.' },
  dump: { name: 'Dump', sentence: 'Sellers pushed the price down together.' },
  silence: { name: 'Silence', sentence: 'Nobody traded for longer than is usual here.' },
  wash_suspicion: {
    name: 'Wash suspicion',
    sentence: 'Equal sizes went back and forth: perhaps one hand on both sides.',
  },
  data_fault: { name: 'Data fault', sentence: 'The tape itself is not whole: trades are missing or wrong.' },
  multivariate: { name: 'Odd mixture', sentence: 'No single number stands out; their combination is unusual.' },
};

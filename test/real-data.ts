/** Where the real tapes lie beside the repository, and the reason a test gives when they don't. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const DATA: string = fileURLToPath(new URL('../../shared/data/', import.meta.url));
export const WITHOUT_DATA: string | false = existsSync(DATA) ? false : 'the real tapes of ../shared/data are absent';
export const TRX: string = `${DATA}tapes/binance_trades_2025-10-10_TRXUSDT.csv.gz`;
export const BTC: string = `${DATA}tapes/BTCUSDC-aggTrades-2025-10-04.zip`;

/** `tapewatch explain ID`: recomputes one anomaly from the tape or the log, and shows what it rests on. */
import { recompute, sameBytes } from '../backtest/recompute.ts';
import { DETECTOR_VERSION } from '../detection/artefact.ts';
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { topicNames } from '../event-log/topics.ts';
import { REST_ENDPOINTS } from '../exchange/binance/endpoints.ts';
import { BinanceRest } from '../exchange/binance/rest.ts';
import { TapewatchError } from '../market/error.ts';
import { type Anomaly, incidentOf, type TapeRecord, type Trade } from '../market/records.ts';
import { readSettings } from '../settings.ts';
import { readTape } from '../tape-files/tape.ts';
import { createNetworkTransport } from '../transport/network.ts';
import type { Transport } from '../transport/transport.ts';
import { replayOf, type TradesFrom } from './evidence.ts';
import { print, say } from './output.ts';
import { type PictureOptions, writePictures } from './pictures.ts';
import { type PolicyOptions, policyOf } from './policy.ts';
import { tapeOfSymbol } from './tapes.ts';
import { fromExchange, fromTape } from './trades-from.ts';

export interface ExplainCommand extends PolicyOptions, PictureOptions {
  readonly tape?: readonly string[];
  readonly data?: string;
  readonly kafka?: string;
  readonly fetch?: boolean;
  readonly restUrl?: string;
  readonly json?: boolean;
}

/** Where the trades come from, in words. */
type Source = 'log' | 'tape' | 'exchange';

export async function runExplain(id: string, options: ExplainCommand): Promise<void> {
  const policy = policyOf(options);
  const source: Source = options.tape ? 'tape' : options.fetch ? 'exchange' : 'log';
  const transport = source === 'exchange' ? createNetworkTransport() : null;
  const log = await openRecorded(options);
  try {
    const recorded = log ? await findRecorded(log, id) : null;
    if (log && !recorded) throw new TapewatchError('not_found', `There is no anomaly ${id} in the log.`);
    const { model, settings, detector } = recorded?.evidence ?? {};
    if (recorded && detector !== DETECTOR_VERSION) {
      throw new TapewatchError(
        'usage',
        `${id} was raised by detector ${detector}, and this is detector ${DETECTOR_VERSION}: recompute it with the version of Tapewatch that raised it.`,
      );
    }
    const replay = log && (await replayOf(log, incidentOf(id), policy, elsewhere(options, transport)));
    if (recorded && !replay && (model !== policy.artefact.id || settings !== policy.settingsId)) {
      throw new TapewatchError(
        'usage',
        `${id} was raised by model ${model} and settings ${settings}; give --model and --budget as they were then.`,
      );
    }
    const symbol = id.slice(0, id.indexOf(':'));
    const open = async (): Promise<AsyncIterable<readonly TapeRecord[]>> => {
      if (replay) return replay.tape();
      return options.tape ? readTape(options.tape) : await tapeOfSymbol(log!, symbol);
    };
    const start = replay ? replay.start : { policy };
    const { anomaly, story, trades } = await recompute(await open(), start, id);
    if (!anomaly) throw new TapewatchError('not_found', `This ${source}, model and settings give no anomaly ${id}.`);
    const verdict = recorded ? (sameBytes(anomaly, recorded) ? 'same' : 'differs') : 'recomputed';
    const words = `recomputed from the ${source}${VERDICTS[verdict]}`;
    if (options.json) await print(`${JSON.stringify({ verdict, anomaly, story, trades })}\n`);
    else await print(asText(anomaly, story, trades, words));
    await writePictures(id, options, open, start, words);
    if (verdict === 'differs') {
      say('The recomputed record differs from the recorded one.');
      process.exitCode = 1;
    }
  } finally {
    await log?.close();
    await transport?.close();
  }
}

/** The log that has the anomaly and its evidence; none where only a tape is given. */
async function openRecorded({ tape, data, kafka, fetch }: ExplainCommand): Promise<EventLog | null> {
  if (tape && fetch) throw new TapewatchError('usage', 'Give --tape or --fetch: the trades come from one of them.');
  if (kafka !== undefined) return (await import('./kafka.ts')).openKafka(readSettings({ kafka }), 'explain');
  if (tape && data === undefined) return null;
  return openEmbeddedLog({ dir: data ?? '.tapewatch', now: Date.now });
}

/** The trades from the tape or the exchange; undefined where they come from the log. */
function elsewhere({ tape, restUrl }: ExplainCommand, transport: Transport | null): TradesFrom | undefined {
  if (tape) return (symbol, lastTradeId) => fromTape(readTape(tape), symbol, lastTradeId);
  if (!transport) return undefined;
  const rest = new BinanceRest(transport, restUrl ? restUrl.split(',') : REST_ENDPOINTS, {
    waiting: (ms) => say(`The exchange's budget of requests is spent: going on in ${Math.ceil(ms / 1000)} s.`),
  });
  return (symbol, lastTradeId) => fromExchange(rest, symbol, lastTradeId, NEVER);
}

/** Ctrl-C ends the whole command. */
const NEVER: AbortSignal = new AbortController().signal;

async function findRecorded(log: EventLog, id: string): Promise<Anomaly | null> {
  for await (const batch of readTopic(log, topicNames('').anomalies, 0)) {
    for (const value of batch) {
      const anomaly = JSON.parse(String(value)) as Anomaly;
      if (anomaly.id === id) return anomaly;
    }
  }
  return null;
}

async function* readTopic(log: EventLog, topic: string, partition: number): AsyncIterable<Uint8Array[]> {
  for (let from = 0; ; ) {
    const { records, next } = await log.read(topic, partition, from);
    if (records.length === 0) return;
    yield records.map(({ value }) => value!);
    from = next;
  }
}

const VERDICTS = { same: ': the same, byte for byte', differs: ': IT DIFFERS', recomputed: '' } as const;

function asText(anomaly: Anomaly, story: readonly Anomaly[], trades: readonly Trade[], verdict: string): string {
  const { actual, expected, contributions, evidence } = anomaly;
  const time = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 23);
  const features = Object.keys(actual).map((name) => {
    const [low, high] = expected[name] ?? [Number.NaN, Number.NaN];
    const share = contributions.find(({ feature }) => feature === name)?.share ?? 0;
    return `  ${name.padEnd(18)} ${String(actual[name]).padStart(12)}   usual ${low} to ${high}   ${'█'.repeat(Math.round(share * 20))} ${Math.round(share * 100)} %`;
  });
  const lines = [
    `${anomaly.symbol}  ${anomaly.kind}  ${anomaly.severity} (${anomaly.phase})  ${time(anomaly.timestamp)} UTC`,
    anomaly.summary,
    '',
    `score ${anomaly.score}   return period ${anomaly.return_period_s} s   z ${anomaly.zscore}   forest ${anomaly.forest}`,
    ...features,
    '',
    'the incident',
    ...story.map(
      ({ timestamp, phase, kind, severity }) =>
        `  ${time(timestamp)}  ${phase.padEnd(8)} ${severity.padEnd(8)} ${kind}`,
    ),
    '',
    `its trades (ids ${evidence.firstTradeId} to ${evidence.lastTradeId}; the last ${Math.min(12, trades.length)})`,
    ...trades
      .slice(-12)
      .map(
        ({ timestamp, id, side, price, volume }) =>
          `  ${time(timestamp)}  ${id}  ${side.padEnd(4)} ${volume} at ${price}`,
      ),
    '',
    `${verdict}; model ${evidence.model.slice(0, 19)}, settings ${evidence.settings.slice(0, 19)}, detector ${evidence.detector}`,
  ];
  return `${lines.join('\n')}\n`;
}

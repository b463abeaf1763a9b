/** How to reach a Kafka cluster, and what of it every client of ours is given. */
import { isIP } from 'node:net';
import type { BaseOptions, SASLOptions } from '@platformatic/kafka';
import { idsOf } from './errors.ts';

export interface KafkaTls {
  /** PEM; without it the system's authorities. */
  readonly ca?: string;
  /** Client certificate and key, PEM. */
  readonly cert?: string;
  readonly key?: string;
}

export type KafkaSasl =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
      readonly username: string;
      readonly password: string;
    }
  /** The token is asked for at every connection: it may have been renewed. */
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: () => string };

export interface KafkaOptions {
  /** `host:port` of one broker or more. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Before the name of every topic, group and transactional id: several installations share a cluster. */
  readonly prefix?: string;
  readonly tls?: KafkaTls;
  readonly sasl?: KafkaSasl;
  readonly compression?: 'none' | 'lz4' | 'zstd' | 'snappy' | 'gzip';
  /** How long an append waits for others to go along, ms. */
  readonly lingerMs?: number;
  /** Most bytes of one batch of one partition, before compression; the broker refuses over 1 MB. */
  readonly batchBytes?: number;
  /** Without a sign of life for so long a member loses its partitions, ms. */
  readonly sessionMs?: number;
  /** A transaction open for longer is aborted by the broker, ms. */
  readonly transactionMs?: number;
  /** Replicas of topics that are made; null: three, or as many as there are brokers. */
  readonly replication?: number | null;
}

export const DEFAULTS = {
  prefix: '',
  compression: 'lz4',
  lingerMs: 2,
  batchBytes: 786_432,
  sessionMs: 6000,
  transactionMs: 10_000,
} as const;

const REQUEST_MS = 30_000;
const CONNECT_MS = 3000;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1000;
/** The broker still writes the markers of the transaction before: a matter of milliseconds, of more where it is busy. */
const MARKERS_MS = 5;
const MARKERS_TRIES = 3;

/** Options common to all clients; `retries` are attempts after the first. */
export function clientOptions(options: KafkaOptions, role: string, retries: number): BaseOptions {
  const { brokers, clientId, tls, sasl } = options;
  return {
    clientId: `${clientId}-${role}`,
    bootstrapBrokers: [...brokers],
    retries,
    retryDelay: (_client, _operation, attempt, _retries, error) =>
      idsOf(error).has('CONCURRENT_TRANSACTIONS')
        ? MARKERS_MS * 2 ** Math.max(0, Math.min(attempt, 8) - MARKERS_TRIES)
        : Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 6)),
    connectTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    ...(tls ? { tls: { ...tls }, tlsServerName: !brokers.every(isAddress) } : {}),
    ...(sasl ? { sasl: saslOptions(sasl) } : {}),
  };
}

/** A name of the server (SNI) must not be an address. */
function isAddress(broker: string): boolean {
  return isIP(broker.slice(0, broker.lastIndexOf(':')).replace(/^\[|\]$/g, '')) !== 0;
}

function saslOptions(sasl: KafkaSasl): SASLOptions {
  return sasl.mechanism === 'OAUTHBEARER'
    ? { mechanism: sasl.mechanism, token: sasl.token }
    : { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password };
}

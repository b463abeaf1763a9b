/** The Kafka log that the settings name. */
import { readFileSync } from 'node:fs';
import { type KafkaLog, type KafkaOptions, type KafkaSasl, openKafkaLog } from '../event-log/kafka/kafka-log.ts';
import { TapewatchError } from '../market/error.ts';
import type { Values } from '../settings.ts';

const COMPRESSIONS = ['none', 'lz4', 'zstd', 'snappy', 'gzip'] as const;
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;

/** `role` names the clients in the brokers' logs and metrics. @throws TapewatchError `settings`, `log_unavailable`. */
export function openKafka(values: Values, role: string): Promise<KafkaLog> {
  return openKafkaLog(kafkaOptions(values, `tapewatch-${role}`));
}

export function kafkaOptions(values: Values, clientId: string): KafkaOptions {
  const text = (key: string): string => values[key] as string;
  const brokers = values['kafka'] as readonly string[];
  if (brokers.length === 0)
    throw wrong('This command works on Kafka: name the brokers with --kafka host:port, or TAPEWATCH_KAFKA.');
  for (const broker of brokers)
    if (!/^[^\s:]+:\d+$|^\[[^\]]+\]:\d+$/.test(broker)) throw wrong(`--kafka: ${broker} is not host:port.`);
  const prefix = text('kafka-prefix');
  if (!/^[a-zA-Z0-9._-]{0,100}$/.test(prefix))
    throw wrong('--kafka-prefix: only letters, digits, ".", "_" and "-" may stand in a topic name.');
  const compression = COMPRESSIONS.find((name) => name === text('kafka-compression'));
  if (!compression) throw wrong(`--kafka-compression must be one of ${COMPRESSIONS.join(', ')}.`);
  const tls = tlsOf(values);
  const sasl = saslOf(values);
  return {
    brokers,
    clientId,
    prefix,
    compression,
    lingerMs: values['kafka-linger'] as number,
    batchBytes: values['kafka-batch'] as number,
    sessionMs: values['kafka-session'] as number,
    replication: (values['kafka-replication'] as number) || null,
    ...(tls ? { tls } : {}),
    ...(sasl ? { sasl } : {}),
  };
}

function tlsOf(values: Values): KafkaOptions['tls'] | null {
  const [ca, cert, key] = ['kafka-tls-ca', 'kafka-tls-cert', 'kafka-tls-key'].map((name) => fileOf(values, name));
  const wanted = values['kafka-tls'] as string;
  if (wanted !== 'on' && wanted !== 'off') throw wrong('--kafka-tls must be on or off.');
  if ((cert === null) !== (key === null)) throw wrong('--kafka-tls-cert and --kafka-tls-key go together.');
  if (wanted === 'off' && !ca && !cert) return null;
  return { ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}) };
}

function saslOf(values: Values): KafkaSasl | null {
  const asked = (values['kafka-sasl'] as string).toUpperCase();
  if (asked === 'NONE') return null;
  const mechanism = MECHANISMS.find((name) => name === asked);
  if (!mechanism) throw wrong(`--kafka-sasl must be none or one of ${MECHANISMS.join(', ').toLowerCase()}.`);
  if (mechanism === 'OAUTHBEARER') {
    if (fileOf(values, 'kafka-token-file') === null) throw wrong('--kafka-sasl oauthbearer needs --kafka-token-file.');
    return { mechanism, token: () => fileOf(values, 'kafka-token-file')!.trim() };
  }
  const username = values['kafka-username'] as string;
  const password = fileOf(values, 'kafka-password-file')?.replace(/\r?\n$/, '') ?? (values['kafka-password'] as string);
  if (username === '' || password === '')
    throw wrong(
      `--kafka-sasl ${asked.toLowerCase()} needs --kafka-username, and the password in --kafka-password-file or TAPEWATCH_KAFKA_PASSWORD.`,
    );
  return { mechanism, username, password };
}

function fileOf(values: Values, key: string): string | null {
  const path = values[key] as string;
  if (path === '') return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TapewatchError('settings', `--${key}: can't read ${path} (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
    });
  }
}

function wrong(sentence: string): TapewatchError {
  return new TapewatchError('settings', sentence);
}

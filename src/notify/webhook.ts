/**
 * Any receiver over HTTP, by the Standard Webhooks specification: `webhook-id` and `webhook-timestamp`, and
 * `webhook-signature: v1,base64(HMAC-SHA256(secret, id.timestamp.body))`. The id also stands as `idempotency-key`.
 */
import { createHmac } from 'node:crypto';
import { incidentOf } from '../market/records.ts';
import { post } from './http.ts';
import type { Notice, Notifier } from './notifier.ts';

export interface WebhookOptions {
  readonly url: string;
  /** Signs each message; null: unsigned. A secret that begins with `whsec_` is base64 after it, as the specification has it. */
  readonly secret: string | null;
}

const PAUSE_MS = 50;

export function webhook({ url, secret }: WebhookOptions): Notifier {
  return {
    pauseMs: PAUSE_MS,
    send: (notice, signal) => {
      const body = bodyOf(notice);
      const timestamp = String(Math.floor(notice.sentAt / 1000));
      const headers: Record<string, string> = {
        'webhook-id': notice.key,
        'webhook-timestamp': timestamp,
        'idempotency-key': notice.key,
      };
      if (secret !== null) headers['webhook-signature'] = `v1,${signatureOf(secret, notice.key, timestamp, body)}`;
      return post({ url, headers, body }, signal);
    },
  };
}

export function signatureOf(secret: string, id: string, timestamp: string, body: string): string {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  return createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
}

function bodyOf({ anomaly, isLate, link, sentAt }: Notice): string {
  return JSON.stringify({
    type: `incident.${anomaly.phase}`,
    timestamp: new Date(sentAt).toISOString(),
    data: { incident: incidentOf(anomaly.id), anomaly, late: isLate, link },
  });
}

/** What every notifier keeps, whatever service it speaks to: against a local server that answers as the service does. */
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Anomaly } from '../../src/market/records.ts';
import type { Notice, Notifier } from '../../src/notify/notifier.ts';

export interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: Buffer;
  /** The same as text. */
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface NotifierCase {
  readonly name: string;
  /** The notifier as it is set up where the service lives at `server`. */
  readonly open: (server: string) => Notifier;
  /** Holds a request against the service's documentation. */
  readonly check: (got: Got, notice: Notice) => void;
  /** Holds a request with a picture against it; null where the service takes none. */
  readonly checkPicture: ((got: Got, form: FormData) => Promise<void>) | null;
  readonly accepted: Answer;
  /** How the service says: too many, again in two seconds. */
  readonly tooMany: Answer;
  readonly refused: Answer;
  /** What of the set-up must never be seen in an error. */
  readonly secret: string;
}

export const specimen: Anomaly = {
  id: 'BTCUSDT:market:7:0',
  symbol: 'BTCUSDT',
  timestamp: 1_760_130_000_123.456,
  kind: 'volume_burst',
  phase: 'open',
  severity: 'critical',
  score: 0.9999,
  return_period_s: 4e6,
  direction: 'down',
  zscore: 14.2,
  forest: 0.78,
  actual: { quote_volume_5s: 8e6 },
  expected: { quote_volume_5s: [21_000, 310_000] },
  contributions: [{ feature: 'quote_volume_5s', share: 1 }],
  summary: '5 s volume 26 times the usual & price <under> its "band"; once in 46 days',
  evidence: { firstTradeId: 1, lastTradeId: 7, model: 'sha256:m', settings: 'sha256:s', detector: '1' },
};

const PICTURE = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1, 2, 3, 255]);

export function noticeOf(anomaly: Anomaly = specimen, isLate = false): Notice {
  const sentAt = anomaly.timestamp + (isLate ? 240_000 : 500);
  return { key: anomaly.id, anomaly, isLate, link: 'https://tapewatch.example/#/anomaly/x', picture: null, sentAt };
}

/** Answers each request by `answer`, keeping what came. */
export async function serve(answer: (got: Got) => Answer): Promise<{ url: string; got: Got[]; server: Server }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const raw = Buffer.concat(parts);
      const one = { method, path: url, headers, raw, body: raw.toString() };
      got.push(one);
      const { status, headers: back, body: text } = answer(one);
      response.writeHead(status, { 'content-type': 'application/json', ...back }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got, server };
}

export function notifierContract({
  name,
  open,
  check,
  checkPicture,
  accepted,
  tooMany,
  refused,
  secret,
}: NotifierCase): void {
  const never = new AbortController().signal;
  const run = (what: string, answer: Answer, use: (notifier: Notifier, got: Got[]) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const { url, got, server } = await serve(() => answer);
      try {
        await use(open(url), got);
      } finally {
        server.close();
      }
    });
  };

  run(
    'an opening, a growing and an ending incident come as its documentation has it',
    accepted,
    async (notifier, got) => {
      const records: Anomaly[] = [
        specimen,
        { ...specimen, id: 'BTCUSDT:market:7:1', phase: 'escalate' },
        { ...specimen, id: 'BTCUSDT:market:7:2', phase: 'close', summary: 'over: 10 minutes below the level' },
      ];
      for (const anomaly of records) {
        const notice = noticeOf(anomaly);
        assert.deepEqual(await notifier.send(notice, never), { outcome: 'delivered' });
        const last = got.at(-1)!;
        assert.equal(last.method, 'POST');
        assert.match(last.headers['content-type']!, /^application\/json/);
        check(last, notice);
        assert.ok(last.body.includes('BTCUSDT'));
      }
      assert.equal(new Set(got.map(({ body }) => body)).size, 3, 'open, escalate and close read the same');
    },
  );

  run('what comes late says so', accepted, async (notifier, got) => {
    await notifier.send(noticeOf(specimen, true), never);
    assert.match(got[0]!.body, /late/);
    assert.doesNotMatch(got[0]!.body, /"late":false/);
  });

  run(
    'a picture comes where the service takes one, and stops nothing where it takes none',
    accepted,
    async (notifier, got) => {
      assert.deepEqual(await notifier.send({ ...noticeOf(), picture: PICTURE }, never), { outcome: 'delivered' });
      const { headers, raw } = got[0]!;
      const type = headers['content-type']!;
      if (checkPicture === null) return assert.match(type, /^application\/json/);
      const form = await new Response(new Uint8Array(raw), { headers: { 'content-type': type } }).formData();
      await checkPicture(got[0]!, form);
      const files = [...form.values()].filter((value) => value instanceof File);
      assert.equal(files.length, 1);
      assert.equal(files[0]!.type, 'image/png');
      assert.deepEqual(Buffer.from(await files[0]!.arrayBuffer()), Buffer.from(PICTURE));
    },
  );

  run('too many: later, and when', tooMany, async (notifier) => {
    const delivery = await notifier.send(noticeOf(), never);
    assert.equal(delivery.outcome, 'later');
    assert.equal(delivery.outcome === 'later' && delivery.afterMs, 2000);
  });

  run('its own troubles: later', { status: 503 }, async (notifier) => {
    assert.equal((await notifier.send(noticeOf(), never)).outcome, 'later');
  });

  run('what it will never take: refused, with its words and without the secret', refused, async (notifier) => {
    const delivery = await notifier.send(noticeOf(), never);
    assert.equal(delivery.outcome, 'refused');
    assert.ok(!JSON.stringify(delivery).includes(secret));
  });

  test(`${name}: out of reach: later, without the secret`, async () => {
    const { url, server } = await serve(() => accepted);
    await new Promise((resolve) => server.close(resolve));
    const delivery = await open(url).send(noticeOf(), never);
    assert.equal(delivery.outcome, 'later');
    assert.ok(!JSON.stringify(delivery).includes(secret));
  });
}

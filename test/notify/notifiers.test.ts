/** Each service's payload, held against its documentation; what the services refuse would be lost alerts. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { discord } from '../../src/notify/discord.ts';
import { slack } from '../../src/notify/slack.ts';
import { telegram } from '../../src/notify/telegram.ts';
import { webhook } from '../../src/notify/webhook.ts';
import { type Got, notifierContract } from '../contract/notifier.ts';

const json = (got: Got): Record<string, unknown> => JSON.parse(got.body) as Record<string, unknown>;

// https://www.standardwebhooks.com: the signed content is id.timestamp.body, the secret base64 after its prefix.
const SECRET = `whsec_${Buffer.from('a secret of 24 bytes ...').toString('base64')}`;
notifierContract({
  name: 'webhook',
  checkPicture: null,
  secret: SECRET,
  open: (server) => webhook({ url: `${server}/hook`, secret: SECRET }),
  accepted: { status: 204 },
  tooMany: { status: 429, headers: { 'retry-after': '2' } },
  refused: { status: 410, body: 'gone' },
  check: (got, { key, anomaly }) => {
    const { headers, body } = got;
    assert.equal(headers['webhook-id'], key);
    assert.equal(headers['idempotency-key'], key);
    const signed = `${key}.${headers['webhook-timestamp']}.${body}`;
    const hmac = createHmac('sha256', 'a secret of 24 bytes ...').update(signed).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${hmac}`);
    const { type, data } = json(got) as { type: string; data: { anomaly: unknown; incident: string } };
    assert.equal(type, `incident.${anomaly.phase}`);
    assert.deepEqual(data.anomaly, anomaly);
    assert.equal(data.incident, 'BTCUSDT:market:7');
  },
});

// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: text, blocks; &, < and > escaped.
notifierContract({
  name: 'slack',
  checkPicture: null,
  secret: 'T00/B00/XXXX',
  open: (server) => slack({ url: `${server}/services/T00/B00/XXXX` }),
  accepted: { status: 200, body: 'ok' },
  tooMany: { status: 429, headers: { 'retry-after': '2' } },
  refused: { status: 404, body: 'no_service' },
  check: (got, { anomaly }) => {
    assert.equal(got.path, '/services/T00/B00/XXXX');
    const { text, blocks } = json(got) as {
      text: string;
      blocks: { type: string; text?: { type: string; text: string } }[];
    };
    assert.ok(text.includes('BTCUSDT'));
    assert.ok(blocks.length > 0 && blocks.length <= 50);
    for (const block of blocks) {
      assert.ok(['section', 'context', 'header', 'divider', 'image', 'actions'].includes(block.type));
      if (block.type === 'section') {
        assert.equal(block.text?.type, 'mrkdwn');
        assert.ok(block.text.text.length <= 3000);
        const withoutLink = block.text.text.replace(/<https:[^|]*\|[^>]*>/, '');
        assert.doesNotMatch(withoutLink, /[<>]|&(?!amp;|lt;|gt;)/);
        if (anomaly.phase === 'open') assert.ok(withoutLink.includes('&amp; price &lt;under&gt;'));
      }
    }
  },
});

// https://discord.com/developers/docs/resources/webhook#execute-webhook
notifierContract({
  name: 'discord',
  // #uploading-files: the payload as payload_json, files as files[n], which an embed names attachment://.
  checkPicture: async (_, form) => {
    const { embeds } = JSON.parse(String(form.get('payload_json'))) as { embeds: { image: { url: string } }[] };
    const file = form.get('files[0]');
    assert.ok(file instanceof File);
    assert.equal(embeds[0]!.image.url, `attachment://${file.name}`);
  },
  secret: 'secret-token',
  open: (server) => discord({ url: `${server}/api/webhooks/1/secret-token` }),
  accepted: { status: 200, body: '{"id":"1"}' },
  tooMany: { status: 429, body: '{"message":"You are being rate limited.","retry_after":2.0,"global":false}' },
  refused: { status: 404, body: '{"message":"Unknown Webhook","code":10015}' },
  check: (got) => {
    assert.equal(got.path, '/api/webhooks/1/secret-token?wait=true');
    const { embeds, allowed_mentions } = json(got) as {
      embeds: { title: string; description: string; color: number; timestamp: string; footer: { text: string } }[];
      allowed_mentions: unknown;
    };
    assert.deepEqual(allowed_mentions, { parse: [] });
    assert.ok(embeds.length >= 1 && embeds.length <= 10);
    for (const { title, description, color, timestamp, footer } of embeds) {
      assert.ok(title.length <= 256 && description.length <= 4096 && footer.text.length <= 2048);
      assert.ok(Number.isInteger(color) && color >= 0 && color <= 0xffffff);
      assert.ok(!Number.isNaN(Date.parse(timestamp)));
    }
  },
});

// https://core.telegram.org/bots/api#sendmessage, #html-style, #responseparameters
notifierContract({
  name: 'telegram',
  // #sendphoto: the caption has 1024 characters at most after its markup is read.
  checkPicture: async (got, form) => {
    assert.equal(got.path, '/bot123:TOKEN/sendPhoto');
    assert.equal(form.get('chat_id'), '-100200');
    assert.equal(form.get('parse_mode'), 'HTML');
    assert.ok(form.get('photo') instanceof File);
    const caption = String(form.get('caption'));
    assert.ok(caption.includes('BTCUSDT') && caption.replace(/<[^>]*>/g, '').length <= 1024);
  },
  secret: '123:TOKEN',
  open: (server) => telegram({ token: '123:TOKEN', chat: '-100200', server }),
  accepted: { status: 200, body: '{"ok":true,"result":{"message_id":1}}' },
  tooMany: {
    status: 429,
    body: '{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 2","parameters":{"retry_after":2}}',
  },
  refused: { status: 400, body: '{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}' },
  check: (got) => {
    assert.equal(got.path, '/bot123:TOKEN/sendMessage');
    const { chat_id, text, parse_mode } = json(got) as { chat_id: string; text: string; parse_mode: string };
    assert.equal(chat_id, '-100200');
    assert.equal(parse_mode, 'HTML');
    assert.ok(text.length > 0 && text.length <= 4096);
    const tags = [...text.matchAll(/<(\/?)(\w+)[^>]*>/g)].map(([, end, name]) => `${end}${name}`);
    assert.deepEqual(tags, ['b', 'a', '/a', '/b', 'i', '/i']);
    assert.doesNotMatch(text.replace(/<\/?(b|i|a)( href="[^"]*")?>/g, ''), /[<>]|&(?!amp;|lt;|gt;|quot;)/);
  },
});

/** `tapewatch notify test` must fail where an alert would: a sink that is found broken by the first alert is found too late. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serve } from '../contract/notifier.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));

test('each sink is sent what an alert would be, and one that refuses it ends the command with 1', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-notify-command-'));
  // Telegram's answer where a group lets members write and send no photos.
  const { url, got, server } = await serve(({ path }) =>
    path.endsWith('/sendPhoto')
      ? { status: 400, body: '{"ok":false,"description":"Bad Request: not enough rights to send photos to the chat"}' }
      : { status: 200, body: 'ok' },
  );
  const sinks = [
    { name: 'robot', type: 'webhook', url: `${url}/hook`, secret_env: 'HOOK_SECRET' },
    { name: 'desk', type: 'slack', url_env: 'SLACK_URL', symbols: ['ETHUSDT'] },
    { name: 'room', type: 'discord', url_env: 'DISCORD_URL' },
    { name: 'night', type: 'telegram', token_env: 'TELEGRAM_TOKEN', chat: '-100200', server: url },
  ];
  const file = join(dir, 'notify.json');
  writeFileSync(file, JSON.stringify({ sinks }));
  const env = {
    ...process.env,
    ...{
      HOOK_SECRET: 'whsec_c2VjcmV0',
      SLACK_URL: `${url}/slack`,
      DISCORD_URL: `${url}/discord`,
      TELEGRAM_TOKEN: '1:T',
    },
  };
  const run = async (...more: string[]): Promise<{ code: number; out: string }> => {
    const child = spawn(process.execPath, [BIN, 'notify', 'test', '--notify', file, ...more], { env });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    return { code, out };
  };
  try {
    const all = await run();
    assert.match(
      all.out,
      /^robot \(webhook\): delivered\ndesk \(slack\): delivered\nroom \(discord\): delivered\nnight \(telegram\): FAILED, .*not enough rights/,
    );
    assert.equal(all.code, 1);
    assert.deepEqual(
      got.map(({ path }) => path),
      ['/hook', '/slack', '/discord?wait=true', '/bot1:T/sendPhoto'],
    );
    assert.ok(got.every(({ body }) => body.includes('This is a test of Tapewatch')));
    assert.match(got[2]!.headers['content-type']!, /^multipart\/form-data/);
    const one = await run('--sink', 'desk');
    assert.deepEqual(one, { code: 0, out: 'desk (slack): delivered\n' });
  } finally {
    server.close();
    rmSync(dir, { recursive: true });
  }
});

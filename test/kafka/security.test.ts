/** TLS and every way to log in, by settings alone, on a real broker that asks for both; a secret is in no error and no line. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { kafkaOptions } from '../../src/commands/kafka.ts';
import { openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { readSettings } from '../../src/settings.ts';
import { type Cluster, noCluster, startCluster } from './broker.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const noOpenssl =
  spawnSync('openssl', ['version']).status === 0 ? null : 'makes certificates with openssl, which is not here';
const skip = noCluster() ?? noOpenssl ?? false;
const SECRETS = { plain: 'plain-Secret-1', scram: 'scram-Secret-2', wrong: 'wrong-Secret-3' };
let dir: string;
let cluster: Cluster;

before(async () => {
  if (skip) return;
  dir = mkdtempSync(join(tmpdir(), 'tapewatch-tls-'));
  const [key, cert, both] = ['key.pem', 'cert.pem', 'both.pem'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  execFileSync(
    'openssl',
    [...request, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert],
    { stdio: 'ignore' },
  );
  writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
  const modules = 'org.apache.kafka.common.security';
  cluster = await startCluster({
    listener: 'SASL_SSL',
    properties: [
      'listener.name.client.ssl.keystore.type=PEM',
      `listener.name.client.ssl.keystore.location=${both}`,
      'listener.name.client.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      `listener.name.client.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_alice="${SECRETS.plain}";`,
      `listener.name.client.scram-sha-256.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
      `listener.name.client.scram-sha-512.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
      `listener.name.client.oauthbearer.sasl.jaas.config=${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    ],
    format: [
      '--add-scram',
      `SCRAM-SHA-256=[name=alice,password=${SECRETS.scram}]`,
      '--add-scram',
      `SCRAM-SHA-512=[name=alice,password=${SECRETS.scram}]`,
    ],
  });
});

after(async () => {
  if (skip) return;
  await cluster.stop();
  rmSync(dir, { recursive: true });
});

/** The options that the settings of a user give. */
function optionsFor(settings: Readonly<Record<string, string>>) {
  const common = { kafka: `127.0.0.1:${cluster.nodes[0]!.port}`, 'kafka-tls-ca': join(dir, 'cert.pem') };
  return kafkaOptions(readSettings({ ...common, ...settings }, {}), 'security');
}

function file(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}

/** An unsigned token, which this broker's default validator takes. */
function token(subject: string, lifetime_s: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + lifetime_s })}.`;
}

async function writesAndReads(settings: Readonly<Record<string, string>>): Promise<void> {
  const log = await openKafkaLog({ ...optionsFor(settings), prefix: `${settings['kafka-sasl']}.` });
  try {
    await log.ensureTopics([{ name: 'in', partitions: 1, cleanup: 'delete', retentionMs: null }]);
    const member = await log.join({ group: 'g', topic: 'in' });
    await log.append([{ topic: 'in', key: 'k', value: Buffer.from('v') }]);
    let event = await member.next(AbortSignal.timeout(15_000));
    while (event.kind !== 'batch') event = await member.next(AbortSignal.timeout(15_000));
    await member.commit([], [{ topic: 'in', partition: 0, offset: event.next }]);
    assert.equal(await log.committed('g', 'in', 0), event.next);
    await member.leave();
  } finally {
    await log.close();
  }
}

test('plain, over TLS', { skip }, () =>
  writesAndReads({ 'kafka-sasl': 'plain', 'kafka-username': 'alice', 'kafka-password': SECRETS.plain }),
);

for (const mechanism of ['scram-sha-256', 'scram-sha-512'])
  test(`${mechanism}, the password in a file`, { skip }, () =>
    writesAndReads({
      'kafka-sasl': mechanism,
      'kafka-username': 'alice',
      'kafka-password-file': file('password', `${SECRETS.scram}\n`),
    }),
  );

test('oauthbearer, the token in a file', { skip }, () =>
  writesAndReads({ 'kafka-sasl': 'oauthbearer', 'kafka-token-file': file('token', token('alice', 3600)) }),
);

test('a wrong password, a stale token and an unknown authority are told apart, and no secret is told', {
  skip,
}, async () => {
  const stale = token('alice', -3600);
  const wrong = [
    [{ 'kafka-sasl': 'plain', 'kafka-username': 'alice', 'kafka-password': SECRETS.wrong }, /refuses the login/],
    [
      { 'kafka-sasl': 'scram-sha-512', 'kafka-username': 'alice', 'kafka-password': SECRETS.wrong },
      /refuses the login/,
    ],
    [{ 'kafka-sasl': 'oauthbearer', 'kafka-token-file': file('stale', stale) }, /refuses the login/],
    [
      {
        'kafka-sasl': 'plain',
        'kafka-username': 'alice',
        'kafka-password': SECRETS.plain,
        'kafka-tls-ca': '',
        'kafka-tls': 'on',
      },
      /no TLS connection/,
    ],
  ] as const;
  for (const [settings, sentence] of wrong) {
    await assert.rejects(openKafkaLog(optionsFor(settings)), (error: Error) => {
      assert.match(error.message, sentence);
      const told = inspect(error, { depth: 12 });
      for (const secret of [...Object.values(SECRETS), stale])
        assert.ok(!told.includes(secret), 'a secret is in the error');
      return true;
    });
  }
});

test('the command line takes the password from the environment, and tells it to nobody', { skip }, () => {
  const env = {
    ...process.env,
    TAPEWATCH_KAFKA: `127.0.0.1:${cluster.nodes[0]!.port}`,
    TAPEWATCH_KAFKA_TLS_CA: join(dir, 'cert.pem'),
    TAPEWATCH_KAFKA_SASL: 'plain',
    TAPEWATCH_KAFKA_USERNAME: 'alice',
  };
  const run = (password: string) =>
    spawnSync(process.execPath, [BIN, 'topics', '--kafka-prefix', 'cli.'], {
      env: { ...env, TAPEWATCH_KAFKA_PASSWORD: password },
      encoding: 'utf8',
    });
  const right = run(SECRETS.plain);
  assert.equal(right.status, 0, right.stderr);
  assert.match(right.stdout, /cli\.detector-state/);
  const refused = run(SECRETS.wrong);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /refuses the login/);
  for (const { stdout, stderr } of [right, refused])
    for (const secret of Object.values(SECRETS)) assert.ok(!(stdout + stderr).includes(secret));
});

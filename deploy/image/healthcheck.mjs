// node healthcheck.mjs [PATH]: whether this container's process answers PATH (/healthz) with 200 on its port.
import { get } from 'node:http';

const port = process.env.TAPEWATCH_PORT ?? '8080';
const url = new URL(process.argv[2] ?? '/healthz', `http://127.0.0.1:${port}`);
const request = get(url, { timeout: 4000 }, (response) => {
  response.resume();
  if (response.statusCode !== 200) console.error(`${url} answered ${response.statusCode}`);
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on('timeout', () => request.destroy(new Error('no answer within 4 s')));
request.on('error', (error) => {
  console.error(`${url}: ${error.message}`);
  process.exitCode = 1;
});

/** Sends frames to who connects, as fast as they are taken. Its port is its first line. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { frameOf } from './frames.ts';

const TRADES = Number(process.argv[2]);
const BUFFERED_MAX = 1 << 20;

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false }, () => {
  console.log((server.address() as AddressInfo).port);
});
server.on('connection', (socket) => {
  let sent = 0;
  const more = (): void => {
    while (sent < TRADES && socket.bufferedAmount < BUFFERED_MAX) socket.send(frameOf(sent++));
    if (sent < TRADES) setTimeout(more, 1);
  };
  more();
});

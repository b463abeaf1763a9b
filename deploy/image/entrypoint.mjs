// The first process of a container gets no default action from the kernel: SIGTERM and Ctrl-C would be ignored by every command
// that handles neither, and by all until they do. A handler of the command's own comes first.
import { constants } from 'node:os';

for (const signal of process.pid === 1 ? ['SIGTERM', 'SIGINT'] : []) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
  });
}
process.argv[1] = '/app/bin/tapewatch.js';
await import('/app/bin/tapewatch.js');

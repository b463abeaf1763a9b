// Preloaded into the measured process: at exit it tells what CPU the process has used, all threads together, µs.
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  process.on('exit', () => {
    const { user, system } = process.cpuUsage();
    process.stderr.write(`CPU_US ${user + system}\n`);
  });
}

/** Measures, one after the other or on several threads; results in the order asked. */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type Measure, type Measured, measure } from './measures.ts';

interface Job {
  readonly index: number;
  readonly task: Measure;
}

export async function measureAll(
  tasks: readonly Measure[],
  jobs: number,
  onDone: (done: number) => void,
): Promise<Measured[]> {
  const results: Measured[] = [];
  let done = 0;
  if (jobs === 1) {
    for (const task of tasks) {
      results.push(await measure(task));
      onDone(++done);
    }
    return results;
  }
  let next = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url));
      const give = (): void => {
        if (next < tasks.length) worker.postMessage({ index: next, task: tasks[next++]! } satisfies Job);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('error', reject);
      worker.on('message', ({ index, result }: { index: number; result: Measured }) => {
        results[index] = result;
        onDone(++done);
        give();
      });
      give();
    });
  await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, work));
  return results;
}

if (!isMainThread && parentPort) {
  const port = parentPort;
  port.on('message', async ({ index, task }: Job) => port.postMessage({ index, result: await measure(task) }));
}

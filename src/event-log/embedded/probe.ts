/**
 * Reads through a data folder in a process of its own, and is killed by a damaged page in place of who wants to use it: LMDB
 * maps its file into memory, so damage shows as a signal and not as an error. Run by `checkFolder`, which also says what a
 * signal means.
 */
import { Storage } from './storage.ts';

const NEWEST = 200_000;
const OLDEST = 20_000;

const storage = new Storage(process.argv[2]!);
for (const { name, partitions } of storage.topics) {
  for (let partition = 0; partition < partitions; partition++) {
    const { first, end } = storage.bounds(name, partition);
    for (const [from, to] of [
      [first, Math.min(end, first + OLDEST)],
      [Math.max(first, end - NEWEST), end],
    ] as const)
      for (const { offset } of storage.scan(name, partition, from)) if (offset >= to) break;
  }
}

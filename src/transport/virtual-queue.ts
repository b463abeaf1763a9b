/** What happens at which virtual time: a binary heap; what is due at one time happens in the order in which it was added. */
import type { Timer } from './transport.ts';

interface Happening {
  readonly at: number;
  readonly order: number;
  call: (() => void) | null;
}

export class EventQueue {
  #heap: Happening[] = [];
  #order = 0;
  now: number;

  constructor(startMs: number) {
    this.now = startMs;
  }

  add(ms: number, call: () => void): Timer {
    const happening: Happening = { at: this.now + Math.max(0, ms), order: this.#order++, call };
    const heap = this.#heap;
    let i = heap.push(happening) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(happening, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = happening;
    return {
      cancel: () => {
        happening.call = null;
      },
    };
  }

  /** Moves time on to the next happening and lets it happen; false where none is left. */
  next(): boolean {
    for (;;) {
      const first = this.#take();
      if (!first) return false;
      if (!first.call) continue;
      this.now = first.at;
      first.call();
      return true;
    }
  }

  #take(): Happening | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function before(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

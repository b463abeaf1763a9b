/** Between a client and its broker: answers of one kind of request come late, or as failures of the network. */
import { type API, type Callback, Consumer, kGetApi, type Producer } from '@platformatic/kafka';

type Done = (error: Error | null, answer?: unknown) => void;
type Api = ((...args: unknown[]) => void) & { readonly version: number };

interface Gate {
  [kGetApi](name: string, callback: Callback<API<unknown[], unknown>>): void;
}

/** `send` does the request; `done` is what the client waits for. */
export type Meddle = (send: (done: Done) => void, done: Done, client: Consumer | Producer) => void;

/** Every client of this process is meddled with until the function returned is called. */
export function meddleWith(name: string, meddle: Meddle): () => void {
  const base = Object.getPrototypeOf(Consumer.prototype) as Gate;
  const original = base[kGetApi];
  base[kGetApi] = function (this: Consumer | Producer, asked, callback) {
    original.call(this, asked, (error, found) => {
      if (error || asked !== name) return callback(error, found);
      const api = found as unknown as Api;
      const meddled = (...args: unknown[]): void => {
        const done = args.pop() as Done;
        meddle((answered) => api(...args, answered), done, this);
      };
      callback(null, Object.assign(meddled, { version: api.version }) as never);
    });
  };
  return () => {
    base[kGetApi] = original;
  };
}

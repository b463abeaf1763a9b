/** Writes to the server: what went wrong in a sentence, and a place for the token where the server wants one. */
import { useSignal } from '@preact/signals';
import { token } from './preferences.ts';
import { ServerError } from './server.ts';

export interface Write {
  readonly fault: string;
  readonly wantsToken: boolean;
  readonly run: (work: () => Promise<void>) => void;
}

export function useWrite(): Write {
  const fault = useSignal('');
  const wantsToken = useSignal(false);
  const run = (work: () => Promise<void>): void => {
    fault.value = '';
    work().then(
      () => {
        wantsToken.value = false;
      },
      (error: unknown) => {
        wantsToken.value = error instanceof ServerError && (error.status === 401 || error.status === 403);
        fault.value = error instanceof Error ? error.message : String(error);
      },
    );
  };
  return { fault: fault.value, wantsToken: wantsToken.value, run };
}

export function TokenForm({ write }: { readonly write: Write }) {
  if (write.fault === '') return null;
  return (
    <div class="notice-line" role="alert">
      <span>{write.fault}</span>
      {write.wantsToken && (
        <label>
          Token{' '}
          <input
            type="password"
            autocomplete="off"
            value={token.value}
            onChange={({ currentTarget }) => {
              token.value = currentTarget.value.trim();
            }}
          />
        </label>
      )}
    </div>
  );
}

/** The one error type of Tapewatch: a stable code, a sentence that tells the user what to do, the cause. */
export type ErrorCode =
  | 'usage'
  | 'settings'
  | 'tape_unreadable'
  | 'record_invalid'
  | 'model_invalid'
  | 'rows_invalid'
  | 'log_corrupt'
  | 'log_busy'
  | 'log_full'
  | 'log_unavailable'
  | 'fenced'
  | 'exchange_unreachable'
  | 'exchange_refused'
  | 'port_in_use'
  | 'not_found'
  | 'aborted';

export class TapewatchError extends Error {
  readonly code: ErrorCode;
  /** Whether trying the same again later may succeed. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TapewatchError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

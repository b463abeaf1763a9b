/** The client's trees of errors, made one sentence. Causes are left out: they may quote what was sent, secrets too. */
import { type ErrorCode, TapewatchError } from '../../market/error.ts';

interface Node {
  readonly apiId?: string;
  readonly code?: string;
  readonly message?: string;
  readonly errors?: readonly Node[];
  readonly cause?: Node;
}

/** Kafka's names of what went wrong (`ILLEGAL_GENERATION`), and the codes of the client and of the socket. */
export function idsOf(error: unknown): ReadonlySet<string> {
  const ids = new Set<string>();
  const visit = (node: Node | undefined, depth: number): void => {
    if (!node || depth > 8) return;
    const id = node.apiId ?? node.code;
    if (id) ids.add(id);
    for (const inner of node.errors ?? []) visit(inner, depth + 1);
    visit(node.cause, depth + 1);
  };
  visit(error as Node, 0);
  return ids;
}

const GENERIC = new Set([
  'PLT_KFK_MULTIPLE',
  'PLT_KFK_RESPONSE',
  'PLT_KFK_PROTOCOL',
  'PLT_KFK_NETWORK',
  'PLT_KFK_USER',
]);

/** The names alone, for a log line. */
export function shortly(error: unknown): string {
  const ids = [...idsOf(error)];
  const telling = ids.filter((id) => !GENERIC.has(id));
  return (telling.length > 0 ? telling : ids).join(', ') || (error instanceof Error ? error.name : 'unknown');
}

const REFUSED = new Set([
  'PLT_KFK_AUTHENTICATION',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
]);
const FORBIDDEN = /_AUTHORIZATION_FAILED$/;

/** @returns a TapewatchError: `settings` where trying again is no use, else `log_unavailable`. */
export function kafkaError(what: string, error: unknown): TapewatchError {
  if (error instanceof TapewatchError) return error;
  const ids = idsOf(error);
  const names = shortly(error);
  if ([...ids].some((id) => REFUSED.has(id)))
    return told(
      'settings',
      `${what}: Kafka refuses the login (${names}). Check --kafka-sasl, the user and the password or token.`,
    );
  const forbidden = [...ids].find((id) => FORBIDDEN.test(id));
  if (forbidden)
    return told(
      'settings',
      `${what}: Kafka does not allow it (${forbidden}). Give this user the right to the topics, groups and transactional ids with the prefix in use.`,
    );
  if ([...ids].some((id) => /CERT|SELF_SIGNED|ERR_TLS|ERR_SSL|EPROTO/.test(id)))
    return told('settings', `${what}: no TLS connection (${names}). Check --kafka-tls and --kafka-tls-ca.`);
  return new TapewatchError('log_unavailable', `${what}: Kafka can't be reached or can't serve now (${names}).`, {
    retryable: true,
  });
}

function told(code: ErrorCode, message: string): TapewatchError {
  return new TapewatchError(code, message);
}

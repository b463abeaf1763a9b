/** The head of a plain request, read strictly: of whatever is not plain, Node's own parser shall judge. */

export interface PlainHead {
  /** Without a query, nothing in it escaped. */
  readonly path: string;
  readonly contentType: string | undefined;
  readonly bodyBytes: number;
  /** Of the Open Inference Protocol: how much of the body is JSON. */
  readonly jsonBytes: string | undefined;
  readonly requestId: string | undefined;
}

const REQUEST_LINE = /^POST (\/[a-z0-9._/-]{1,200}) HTTP\/1\.1$/;
const HEADER = /^([A-Za-z0-9-]{1,40}): ?([\x21-\x7e](?:[\x20-\x7e]{0,1000}[\x21-\x7e])?)$/;
const LENGTH = /^[1-9][0-9]{0,7}$/;

/** Headers that change nothing of how a request is answered; one that is not here may. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...['host', 'user-agent', 'accept', 'accept-encoding', 'accept-language', 'authorization', 'cache-control'],
  ...['traceparent', 'tracestate', 'baggage', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip'],
  ...['connection', 'content-type', 'content-length', 'inference-header-content-length', 'x-request-id'],
]);

/** `text`: request line and headers up to the empty line, as Latin-1. null: not plain. */
export function plainHead(text: string): PlainHead | null {
  const [first, ...lines] = text.split('\r\n');
  const path = REQUEST_LINE.exec(first!)?.[1];
  if (path === undefined) return null;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    const header = name?.toLowerCase();
    if (header === undefined || !HARMLESS.has(header) || headers.has(header)) return null;
    headers.set(header, value!);
  }
  const length = headers.get('content-length');
  if (!headers.has('host') || length === undefined || !LENGTH.test(length)) return null;
  if ((headers.get('connection') ?? 'keep-alive').toLowerCase() !== 'keep-alive') return null;
  return {
    path,
    contentType: headers.get('content-type'),
    bodyBytes: Number(length),
    jsonBytes: headers.get('inference-header-content-length'),
    requestId: headers.get('x-request-id'),
  };
}

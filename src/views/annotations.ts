/** What people said about an incident: the last word of each, on the compacted topic `annotations` under its name. */
export interface Annotation {
  readonly incident: string;
  readonly acknowledged: boolean;
  readonly verdict: 'not_interesting' | 'interesting' | null;
  /** Event time of the symbol when it was said, ms. */
  readonly timestamp: number;
}

export function decodeAnnotation(value: Uint8Array): Annotation {
  return JSON.parse(Buffer.from(value).toString()) as Annotation;
}

/** The incidents, newest first, each with its records; what the user said about them; and the alarm when one comes. */
import { signal } from '@preact/signals';
import { type Anomaly, incidentOf, type Severity } from '../../src/market/records.ts';
import { KIND_WORDS } from '../../src/market/words.ts';
import type { Annotation } from '../../src/views/annotations.ts';
import { changed, rows } from './market.ts';
import { popups, sound } from './preferences.ts';
import { get, post } from './server.ts';
import { kindName, SEVERITY_RANK } from './words.ts';

export interface Incident {
  readonly id: string;
  readonly symbol: string;
  /** In order; never empty. */
  readonly records: readonly Anomaly[];
  /** The record of the greatest severity, the first of those. */
  readonly worst: Anomaly;
  readonly isOpen: boolean;
  readonly acknowledged: boolean;
  readonly dismissed: boolean;
}

interface Page {
  readonly items: readonly Anomaly[];
  readonly nextCursor?: number;
}

const PAGE = 500;
const INCIDENTS_MAX = 5000;
/** Alerts that come within so long are said in one sentence. */
const ANNOUNCE_MS = 3000;

/** Newest first by when they opened. */
export const incidents = signal<readonly Incident[]>([]);
export const nextCursor = signal<number | null>(null);

const byId = new Map<string, Incident>();
const annotations = new Map<string, Annotation>();
let publishing = false;

export async function load(): Promise<void> {
  const page = await get<Page>(`v1/anomalies?limit=${PAGE}`);
  const said = await get<{ items: readonly Annotation[] }>('v1/annotations');
  byId.clear();
  annotations.clear();
  for (const annotation of said.items) annotations.set(annotation.incident, annotation);
  absorb(page);
}

export async function loadMore(): Promise<void> {
  if (nextCursor.value === null) return;
  absorb(await get<Page>(`v1/anomalies?limit=${PAGE}&cursor=${nextCursor.value}`));
}

function absorb({ items, nextCursor: cursor }: Page): void {
  for (const item of items) add(item);
  nextCursor.value = cursor ?? null;
  publish();
}

/** What somebody said, here or in another window. */
export function takeAnnotation(annotation: Annotation): void {
  annotations.set(annotation.incident, annotation);
  publishSoon();
}

/** One record as it comes. */
export function take(anomaly: Anomaly): void {
  if (!add(anomaly)) return;
  const row = rows.get(anomaly.symbol);
  if (row && anomaly.phase === 'open') {
    row.alerts++;
    row.version++;
    changed();
  }
  if (anomaly.phase === 'open' || anomaly.phase === 'escalate') alarm(anomaly);
  publishSoon();
}

/** A storm of alerts redraws the list once in a while, not once an alert. */
function publishSoon(): void {
  if (publishing) return;
  publishing = true;
  setTimeout(() => {
    publishing = false;
    publish();
  }, 100);
}

function add(anomaly: Anomaly): boolean {
  const id = incidentOf(anomaly.id);
  const before = byId.get(id);
  if (before?.records.some((record) => record.id === anomaly.id)) return false;
  const records = [...(before?.records ?? []), anomaly].sort((a, b) => numberOf(a.id) - numberOf(b.id));
  const worst = records.reduce((top, record) => (rank(record.severity) > rank(top.severity) ? record : top));
  const isOpen = records.at(-1)!.phase !== 'close';
  byId.set(id, { id, symbol: anomaly.symbol, records, worst, isOpen, acknowledged: false, dismissed: false });
  return true;
}

function publish(): void {
  const sorted = [...byId.values()].sort((a, b) => b.records[0]!.timestamp - a.records[0]!.timestamp);
  for (const { id } of sorted.splice(INCIDENTS_MAX)) byId.delete(id);
  incidents.value = sorted.map((incident) => {
    const said = annotations.get(incident.id);
    if (!said) return incident;
    return { ...incident, acknowledged: said.acknowledged, dismissed: said.verdict === 'not_interesting' };
  });
}

const numberOf = (id: string): number => Number(id.slice(id.lastIndexOf(':') + 1));
const rank = (severity: Severity): number => SEVERITY_RANK[severity];

/** @throws ServerError 401 or 403 where the server wants a token. */
export async function acknowledge(incident: Incident): Promise<void> {
  takeAnnotation(await post(`v1/anomalies/${encodeURIComponent(incident.worst.id)}/acknowledge`, {}));
}

/** Not interesting: kept, exported, and it lowers that kind for that symbol. */
export async function dismiss(incident: Incident): Promise<void> {
  const path = `v1/anomalies/${encodeURIComponent(incident.worst.id)}/feedback`;
  takeAnnotation(await post(path, { verdict: 'not_interesting' }));
}

let audio: AudioContext | null = null;
const TONES: Readonly<Record<Severity, readonly number[]>> = {
  notice: [660],
  warning: [660, 880],
  critical: [880, 660, 880],
};

/** A short tone; also to try it out. */
export function ring(severity: Severity): void {
  audio ??= new AudioContext();
  TONES[severity].forEach((tone, i) => {
    const at = audio!.currentTime + i * 0.14;
    const oscillator = new OscillatorNode(audio!, { frequency: tone, type: 'triangle' });
    const volume = new GainNode(audio!, { gain: 0 });
    volume.gain.setValueAtTime(0.12, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.13);
    oscillator.connect(volume).connect(audio!.destination);
    oscillator.start(at);
    oscillator.stop(at + 0.14);
  });
}

/** What came lately in a sentence, for those who hear the page. */
export const announced = signal('');
let unsaid: Anomaly[] = [];

function announce(anomaly: Anomaly): void {
  unsaid.push(anomaly);
  if (unsaid.length > 1) return;
  setTimeout(() => {
    const { symbol, kind, severity } = unsaid.reduce((top, one) =>
      rank(one.severity) > rank(top.severity) ? one : top,
    );
    const many = unsaid.length > 1 ? `${unsaid.length} alerts, the worst: ` : '';
    announced.value = `${many}${symbol}, ${kindName(kind)}, ${severity}`;
    unsaid = [];
  }, ANNOUNCE_MS);
}

function alarm(anomaly: Anomaly): void {
  announce(anomaly);
  if (sound.value === 'on') ring(anomaly.severity);
  if (popups.value !== 'on' || !('Notification' in globalThis) || Notification.permission !== 'granted') return;
  const { id, symbol, kind, severity } = anomaly;
  const popup = new Notification(`${symbol}: ${kindName(kind)} (${severity})`, {
    body: KIND_WORDS[kind]?.sentence ?? anomaly.summary,
    tag: incidentOf(id),
  });
  popup.onclick = () => {
    window.focus();
    location.hash = `#/anomaly/${encodeURIComponent(id)}`;
  };
}

/** Alerts as they come: a narrow list beside the chart, and a wide one with filters that the address holds. */
import { useSignal } from '@preact/signals';
import { KINDS, type Kind, SEVERITIES, type Severity } from '../../src/market/records.ts';
import { address, hrefOf, setQuery } from './address.ts';
import { acknowledge, dismiss, type Incident, incidents, loadMore, nextCursor, ring } from './alerts.ts';
import { now, tick } from './market.ts';
import { popups, sound } from './preferences.ts';
import { ago, arrowOf, briefOf, clock, day, kindName, onceIn, SEVERITY_RANK } from './words.ts';
import { TokenForm, useWrite } from './write.tsx';

const NARROW_MAX = 100;
const WIDE_STEP = 200;

export function AlertFeed() {
  void tick.value;
  const list = incidents.value.filter(({ dismissed }) => !dismissed).slice(0, NARROW_MAX);
  return (
    <section class="feed" aria-label="Alerts">
      <header class="panel-head">
        <h2>Alerts</h2>
        <AlarmSwitches />
      </header>
      <ol class="feed-list" tabIndex={0} aria-label="Alerts, newest first">
        {list.map((incident) => (
          <FeedItem key={incident.id} incident={incident} />
        ))}
        {list.length === 0 && <li class="empty">Nothing odd so far.</li>}
      </ol>
    </section>
  );
}

function FeedItem({ incident }: { readonly incident: Incident }) {
  const { worst, symbol, records, isOpen, acknowledged } = incident;
  const first = records[0]!;
  const { place } = address.value;
  const isHere = place.view === 'anomaly' && records.some(({ id }) => id === place.id);
  return (
    <li class={`${acknowledged ? 'seen' : ''} ${isHere ? 'selected' : ''}`}>
      <a href={hrefOf({ view: 'anomaly', id: worst.id })} aria-current={isHere ? 'page' : undefined}>
        <span class={`badge ${worst.severity}`} title={worst.severity}>
          <span aria-hidden="true">{arrowOf(worst.direction)}</span>
          <span class="hidden">{worst.severity}</span>
        </span>
        <span class="feed-main">
          <b>{symbol}</b> {kindName(worst.kind)}
          <span class="muted">{briefOf(worst.summary)}</span>
        </span>
        <span class="feed-time">
          {clock(first.timestamp)}
          <span class="muted">{isOpen ? ago(first.timestamp, now) : 'closed'}</span>
        </span>
      </a>
    </li>
  );
}

export function AlarmSwitches() {
  const askFirst = async (): Promise<void> => {
    if (popups.value === 'on') popups.value = 'off';
    else if ('Notification' in globalThis && (await Notification.requestPermission()) === 'granted')
      popups.value = 'on';
  };
  return (
    <div class="switches">
      <button
        type="button"
        aria-pressed={sound.value === 'on'}
        title="A tone at each alert"
        onClick={() => {
          sound.value = sound.value === 'on' ? 'off' : 'on';
          if (sound.value === 'on') ring('notice');
        }}
      >
        Sound
      </button>
      <button
        type="button"
        aria-pressed={popups.value === 'on'}
        title="A notification of the browser at each alert"
        onClick={() => void askFirst()}
      >
        Pop-ups
      </button>
    </div>
  );
}

export function AlertsView() {
  const shown = useSignal(WIDE_STEP);
  const write = useWrite();
  const { query } = address.value;
  const symbol = (query.get('symbol') ?? '').toUpperCase();
  const kind = query.get('kind') ?? '';
  const severity = (query.get('severity') ?? '') as Severity | '';
  const state = query.get('state') ?? '';
  const found = incidents.value.filter(
    (incident) =>
      incident.symbol.includes(symbol) &&
      (kind === '' || incident.records.some((record) => record.kind === kind)) &&
      (severity === '' || SEVERITY_RANK[incident.worst.severity] >= SEVERITY_RANK[severity]) &&
      matchesState(incident, state),
  );
  return (
    <section class="alerts-view" aria-labelledby="alerts-title">
      <header class="view-head">
        <h1 id="alerts-title">Alerts</h1>
        <span class="muted">{found.length}</span>
        <div class="filters">
          <label>
            <span class="hidden">Symbol</span>
            <input
              type="search"
              placeholder="Symbol"
              value={symbol}
              onInput={(e) => setQuery('symbol', e.currentTarget.value)}
            />
          </label>
          <Choice
            name="kind"
            label="Kind"
            value={kind}
            options={KINDS.map((name: Kind) => [name, kindName(name)])}
            all="All kinds"
          />
          <Choice
            name="severity"
            label="Least severity"
            value={severity}
            options={SEVERITIES.map((name: Severity) => [name, name])}
            all="Any severity"
          />
          <Choice
            name="state"
            label="State"
            value={state}
            options={[
              ['open', 'Open'],
              ['new', 'Not acknowledged'],
              ['dismissed', 'Not interesting'],
            ]}
            all="All"
          />
          <AlarmSwitches />
        </div>
      </header>
      <TokenForm write={write} />
      <div class="table-scroll" tabIndex={0} role="region" aria-label="Table of alerts">
        <table class="alert-table">
          <thead>
            <tr>
              <th scope="col">Opened, UTC</th>
              <th scope="col">Symbol</th>
              <th scope="col">What</th>
              <th scope="col">Severity</th>
              <th scope="col" class="wide">
                How rare
              </th>
              <th scope="col" class="wide">
                In numbers
              </th>
              <th scope="col">
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {found.slice(0, shown.value).map((incident) => (
              <AlertRow key={incident.id} incident={incident} run={write.run} />
            ))}
          </tbody>
        </table>
        {found.length === 0 && <p class="empty">No alert fits.</p>}
        {(found.length > shown.value || nextCursor.value !== null) && (
          <button
            type="button"
            class="more"
            onClick={() => {
              shown.value += WIDE_STEP;
              if (found.length <= shown.value) void loadMore();
            }}
          >
            Show older
          </button>
        )}
      </div>
    </section>
  );
}

function matchesState({ isOpen, acknowledged, dismissed }: Incident, state: string): boolean {
  if (state === 'dismissed') return dismissed;
  if (dismissed) return false;
  return state === 'open' ? isOpen : state === 'new' ? !acknowledged : true;
}

function AlertRow({
  incident,
  run,
}: {
  readonly incident: Incident;
  readonly run: (work: () => Promise<void>) => void;
}) {
  const { worst, symbol, records, isOpen, acknowledged, dismissed } = incident;
  const opened = records[0]!.timestamp;
  return (
    <tr class={acknowledged || dismissed ? 'seen' : ''}>
      <td class="number">
        {day(opened) !== day(now) && <span class="muted wide">{day(opened)} </span>}
        {clock(opened)}
      </td>
      <td>
        <a href={hrefOf({ view: 'symbol', symbol })}>{symbol}</a>
      </td>
      <td>
        <a href={hrefOf({ view: 'anomaly', id: worst.id })}>
          <span
            class={worst.direction === 'up' ? 'up' : worst.direction === 'down' ? 'down' : 'muted'}
            aria-hidden="true"
          >
            {arrowOf(worst.direction)}
          </span>{' '}
          {kindName(worst.kind)}
        </a>
        {isOpen && <span class="tag live">open</span>}
      </td>
      <td>
        <span class={`badge ${worst.severity}`}>{worst.severity}</span>
      </td>
      <td class="wide muted">{onceIn(worst.return_period_s)}</td>
      <td class="wide muted">{briefOf(worst.summary)}</td>
      <td class="actions">
        {acknowledged ? (
          <span class="muted">acknowledged</span>
        ) : (
          <button
            type="button"
            onClick={() => run(() => acknowledge(incident))}
            aria-label={`Acknowledge ${symbol} ${kindName(worst.kind)}`}
          >
            Acknowledge
          </button>
        )}
        {!dismissed && (
          <button
            type="button"
            class="wide"
            onClick={() => run(() => dismiss(incident))}
            aria-label={`Not interesting: ${symbol} ${kindName(worst.kind)}`}
          >
            Not interesting
          </button>
        )}
      </td>
    </tr>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly all: string;
}

function Choice({ name, label, value, options, all }: ChoiceProps) {
  return (
    <label>
      <span class="hidden">{label}</span>
      <select value={value} onChange={(event) => setQuery(name, event.currentTarget.value)}>
        <option value="">{all}</option>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

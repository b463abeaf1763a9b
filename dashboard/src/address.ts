/** The address holds the view: `#/symbol/BTCUSDT?interval=5`. Hashes, so that the page works under any path. */
import { signal } from '@preact/signals';

export type Place =
  | { readonly view: 'market' }
  | { readonly view: 'symbol'; readonly symbol: string }
  | { readonly view: 'anomaly'; readonly id: string }
  | { readonly view: 'alerts' }
  | { readonly view: 'health' }
  | { readonly view: 'watch' };

export interface Address {
  readonly place: Place;
  readonly query: URLSearchParams;
}

export const address = signal<Address>(parse(location.hash));
addEventListener('hashchange', () => {
  address.value = parse(location.hash);
});

function parse(hash: string): Address {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view, ...rest] = path.split('/');
  const name = decodeURIComponent(rest.join('/'));
  return { place: placeOf(view ?? '', name), query: new URLSearchParams(query) };
}

function placeOf(view: string, name: string): Place {
  if (view === 'symbol' && name !== '') return { view, symbol: name };
  if (view === 'anomaly' && name !== '') return { view, id: name };
  if (view === 'alerts' || view === 'health' || view === 'market') return { view };
  return { view: 'watch' };
}

export function hrefOf(place: Place, query: Readonly<Record<string, string>> = {}): string {
  const name = place.view === 'symbol' ? place.symbol : place.view === 'anomaly' ? encodeURIComponent(place.id) : '';
  const entries = Object.entries(query).filter(([, value]) => value !== '');
  const search = entries.length > 0 ? `?${new URLSearchParams(entries)}` : '';
  return `#/${place.view === 'watch' ? '' : place.view}${name ? `/${name}` : ''}${search}`;
}

export function go(place: Place, query?: Readonly<Record<string, string>>): void {
  location.hash = hrefOf(place, query);
}

/** Changes one thing of the present view without a step in the history. */
export function setQuery(name: string, value: string): void {
  const { place, query } = address.value;
  const entries = { ...Object.fromEntries(query), [name]: value };
  history.replaceState(null, '', hrefOf(place, entries));
  address.value = parse(location.hash);
}

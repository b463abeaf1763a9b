/** One anomaly explained as one page. */
import { type Explanation, explanationSvg } from './explanation-chart.ts';
import { evidence, words } from './incident-card.ts';
import { facts, page, table } from './page.ts';
import { escaped } from './paint.ts';
import { timeText } from './scale.ts';

export interface ExplanationPage extends Explanation {
  /** How the recomputed record compares with the recorded one, in a sentence. */
  readonly verdict: string;
}

const TRADES_SHOWN = 40;

export function explanationPage(data: ExplanationPage): string {
  const { anomaly, story, trades, verdict } = data;
  const { symbol, kind, severity, timestamp, summary } = anomaly;
  const title = `${symbol} ${kind.replaceAll('_', ' ')} at ${timeText(timestamp, 0)}`;
  const before = trades.filter((trade) => trade.timestamp <= timestamp).slice(-TRADES_SHOWN);
  return page(
    title,
    `<h1>${escaped(symbol)} · ${words(kind)}</h1>
<p class="lead"><span class="tag ${severity}">${severity}</span> ${timeText(timestamp)} UTC · ${escaped(anomaly.phase)}</p>
<p>${escaped(summary)}</p>
<p class="soft">${escaped(verdict)}</p>
<div class="chart">${explanationSvg(data, false)}</div>
<h2>Expected and actual</h2>${evidence(anomaly)}
<h2>The incident</h2>${storyTable(story)}
<h2>Its last trades</h2>${table(
      ['time (UTC)', 'id#', 'side', 'price#', 'volume#'],
      before.map(({ timestamp: at, id, side, price, volume }) => [
        timeText(at),
        String(id),
        side,
        String(price),
        String(volume),
      ]),
    )}
<h2>What it rests on</h2>${facts([
      ['id', anomaly.id],
      ['score', `${anomaly.score}: this share of seconds had a smaller one`],
      ['return period', `${anomaly.return_period_s} s`],
      ['largest z-score', String(anomaly.zscore)],
      ['forest', String(anomaly.forest)],
      ['trades', `ids ${anomaly.evidence.firstTradeId} to ${anomaly.evidence.lastTradeId}`],
      ['model', anomaly.evidence.model],
      ['settings', anomaly.evidence.settings],
      ['detector', anomaly.evidence.detector],
    ])}
<footer>Made by Tapewatch from the tape: the same records, model and settings give the same anomaly, byte for byte.</footer>`,
  );
}

function storyTable(story: Explanation['story']): string {
  return table(
    ['time (UTC)', 'phase', 'severity', 'kind', ''],
    story.map(({ timestamp, phase, severity, kind, summary }) => [
      timeText(timestamp),
      phase,
      `<span class="tag ${severity}">${severity}</span>`,
      words(kind),
      escaped(summary),
    ]),
  );
}

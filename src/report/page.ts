/** The frame of every page: one file, no script, nothing loaded from elsewhere; light, dark and paper. */
import { escaped, FONT, PAGE_STYLE } from './paint.ts';

const STYLE = `${PAGE_STYLE}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 ${FONT}}
main{max-width:1040px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}h2{font-size:18px;margin:44px 0 10px}h3{font-size:15px;margin:0}
p{margin:6px 0}.lead{color:var(--soft);margin:0 0 20px}.soft{color:var(--soft)}.small{font-size:13px}
.figures{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}
.figure{background:var(--raised);border:1px solid var(--line);border-radius:10px;padding:12px 16px;min-width:156px;flex:1}
.figure b{display:block;font-size:24px;line-height:1.25;font-variant-numeric:tabular-nums;white-space:nowrap}.figure span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:500;color:var(--soft);font-size:13px;vertical-align:bottom}
td,th{padding:6px 14px 6px 0;border-bottom:1px solid var(--line)}td.n,th.n{text-align:right}td.n,td:has(.meter){white-space:nowrap}td.n:last-child,th.n:last-child{padding-right:0}
.scroll{overflow-x:auto;margin:10px 0 18px}dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 18px;margin:0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.card{border:1px solid var(--line);border-radius:10px;padding:14px 18px 12px;margin:14px 0;break-inside:avoid}
.head{display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline}.head time{color:var(--soft);font-size:13px}
.tag{border-radius:4px;padding:1px 7px;font-size:12px;font-weight:600;color:var(--ground)}
.tag.notice{background:var(--notice)}.tag.warning{background:var(--warning)}.tag.critical{background:var(--critical)}
.summary{margin:6px 0 10px}.chart{margin:10px 0 14px}
@media screen and (max-width:720px){.chart{overflow-x:auto}.chart svg{max-width:none;min-width:760px}main{padding:20px 16px 48px}}
.meter{display:inline-block;width:90px;height:8px;border-radius:2px;background:var(--line);vertical-align:1px;margin-right:8px}
.meter i{display:block;height:8px;border-radius:2px;background:var(--price)}
footer{margin-top:48px;color:var(--soft);font-size:13px;border-top:1px solid var(--line);padding-top:12px}
@media print{main{max-width:none;padding:0}body{font-size:12px}h2{break-after:avoid}.figure,.tag,.meter,.meter i{print-color-adjust:exact;-webkit-print-color-adjust:exact}}`;

/** `body` is markup, `title` is text. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>
${STYLE}
</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** Rows of cells that are markup; a column whose header ends in `#` holds numbers. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const number = headers.map((header) => header.endsWith('#'));
  const css = (i: number): string => (number[i] ? ' class="n"' : '');
  const head = headers.map((header, i) => `<th${css(i)}>${escaped(header.replace(/#$/, ''))}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell, i) => `<td${css(i)}>${cell}</td>`).join('')}</tr>`).join('\n');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

export function facts(rows: readonly (readonly [name: string, value: string])[]): string {
  return `<dl>${rows.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>`;
}

export function meter(share: number): string {
  return `<span class="meter"><i style="width:${Math.round(share * 100)}%"></i></span>${Math.round(share * 100)} %`;
}

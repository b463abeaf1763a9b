/** A symbol's last quarter of an hour as a line. */
interface SparklineProps {
  readonly closes: readonly (number | null)[];
  readonly width: number;
  readonly height: number;
}

export function Sparkline({ closes, width, height }: SparklineProps) {
  const known = closes.filter((close) => close !== null);
  if (known.length < 2) return <svg class="spark" width={width} height={height} aria-hidden="true" />;
  const low = Math.min(...known);
  const span = Math.max(...known) - low;
  const x = (i: number): string => ((i / (closes.length - 1)) * (width - 2) + 1).toFixed(1);
  const y = (close: number): string =>
    (span > 0 ? height - 2 - ((close - low) / span) * (height - 4) : height / 2).toFixed(1);
  let path = '';
  closes.forEach((close, i) => {
    if (close !== null) path += `${path === '' ? 'M' : 'L'}${x(i)} ${y(close)}`;
  });
  const rose = known.at(-1)! >= known[0]!;
  return (
    <svg class={`spark ${rose ? 'up' : 'down'}`} width={width} height={height} aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

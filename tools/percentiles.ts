export interface Percentiles {
  count: number;
  p50: number;
  p99: number;
  worst: number;
}

/** To a tenth; zeros when there is no value. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1));
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), worst: at(1) };
}

export interface Percentiles {
  count: number;
  p50: number;
  p99: number;
  p999: number;
  worst: number;
}

/** To a tenth, or to so many digits; zeros when there is no value. */
export function percentiles(values: readonly number[], digits = 1): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(digits));
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), worst: at(1) };
}

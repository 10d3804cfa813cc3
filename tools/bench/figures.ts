/** A figure that was measured in several rounds. */
export interface Figure {
  median: number;
  lowest: number;
  highest: number;
}

/** Undefined when it was never measured. */
export function figureOf(values: readonly (number | undefined)[]): Figure | undefined {
  const sorted = values
    .filter((value) => value !== undefined && Number.isFinite(value))
    .toSorted((a = 0, b = 0) => a - b) as number[];
  const [lowest, highest] = [sorted[0], sorted.at(-1)];
  if (lowest === undefined || highest === undefined) return undefined;
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2;
  return { median, lowest, highest };
}

/** Three digits that say something: "1,234", "56.7", "0.00123". */
export function digits(value: number): string {
  if (value === 0) return '0';
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Math.min(decimals, 6),
    maximumFractionDigits: Math.min(decimals, 6),
  });
}

/** "12.3 (11.9–12.8)"; the spread is left out when there was one round. */
export function spread(figure: Figure | undefined, unit = ''): string {
  if (figure === undefined) return '–';
  const { median, lowest, highest } = figure;
  const range = lowest === highest ? '' : ` (${digits(lowest)}–${digits(highest)})`;
  return `${digits(median)}${unit}${range}`;
}

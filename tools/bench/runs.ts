import type { Percentiles } from '../percentiles.ts';
import type { Measured } from './benchBroker.ts';

/** What one measurement came to: trades or calls a second, or how long each took. */
export interface Outcome extends Partial<Measured> {
  perSecond?: number;
  ms?: Percentiles;
  /** The same at a few a second. */
  quietMs?: Percentiles;
}

/** Something that is measured once in each round. */
export interface Part {
  name: string;
  run(): Promise<Outcome>;
}

/** By the part's name, one for each round. */
export type Outcomes = Record<string, Outcome[]>;

export interface Rounds {
  rounds: number;
  onEvent: (line: string) => void;
  isStopped: () => boolean;
}

/**
 * Measures everything once in each round, each time beginning with another part: what drifts on the machine meets all of them, and
 * whoever comes after whom changes.
 */
export async function runRounds(parts: readonly Part[], { rounds, onEvent, isStopped }: Rounds): Promise<Outcomes> {
  const outcomes: Outcomes = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const part of rotated(parts, round)) {
      if (isStopped()) return outcomes;
      const outcome = await part.run();
      outcomes[part.name] = [...(outcomes[part.name] ?? []), outcome];
      onEvent(`round ${round + 1}, ${part.name}: ${inWords(outcome)}`);
    }
  }
  return outcomes;
}

/** For whoever waits for the result. */
export function inWords({ perSecond, placeMs, ms, cpu, busy }: Outcome): string {
  const words = [
    ...(perSecond === undefined ? [] : [`${perSecond.toFixed(0)} a second`]),
    ...(placeMs === undefined ? [] : [`placed in p50 ${placeMs.p50} p99 ${placeMs.p99} ms`]),
    ...(ms === undefined ? [] : [`done in p50 ${ms.p50} p99 ${ms.p99} ms`]),
    ...(cpu === undefined ? [] : [`${cpu.all.toFixed(2)} s of processor a thousand`]),
    ...(busy === undefined ? [] : [`${(busy * 100).toFixed(0)} % busy`]),
  ];
  return words.join(', ');
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

import type { BooksReport } from '@stockbroker/testkit';
import { grouped, table } from './cli.ts';
import type { Sightings } from './demoTraders.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

/** A demo's outcome; also its JSON document. */
export interface DemoResult {
  /** How many there were to place. */
  trades: number;
  /** The following is what the clients saw. */
  placed: number;
  filled: number;
  rejected: Record<string, number>;
  open: number;
  seconds: number;
  endedPerSecond: number;
  /** PlaceTrade, with its repetitions. */
  placeMs: Percentiles;
  /** From calling PlaceTrade to seeing the end, of a sample. */
  endedMs: Percentiles;
  /** Calls that were repeated because a server was busy or gone. */
  repeated: number;
  failures: string[];
  /** What the database and the exchange's journal hold. */
  books: BooksReport;
}

const MOST_SHOWN = 20;

export function resultOf(trades: number, seen: Sightings, books: BooksReport): DemoResult {
  const seconds = (seen.endedAt - seen.startedAt) / 1_000;
  return {
    trades,
    placed: seen.placed,
    filled: seen.filled,
    rejected: seen.rejected,
    open: seen.placed - seen.ended,
    seconds: Number(seconds.toFixed(3)),
    endedPerSecond: Math.round(seen.ended / seconds),
    placeMs: percentiles(seen.placeMs),
    endedMs: percentiles(seen.endedMs),
    repeated: seen.repeated,
    failures: seen.failures,
    books,
  };
}

/** In words, what is not as it should be; empty when all trades have ended and the books are exact. */
export function problems({ trades, placed, filled, rejected, open, failures, books }: DemoResult): string[] {
  const found = [...books.violations, ...failures];
  if (placed < trades) found.push(`${grouped(trades - placed)} trades could not be placed in time`);
  if (open > 0) found.push(`${grouped(open)} trades are still open`);
  const { filled: filledInBooks = 0, rejected: rejectedInBooks = 0 } = books.byStatus;
  if (filled !== filledInBooks) found.push(`the clients saw ${filled} fills, the books have ${filledInBooks}`);
  if (sum(rejected) !== rejectedInBooks)
    found.push(`the clients saw ${sum(rejected)} rejections, the books have ${rejectedInBooks}`);
  return found;
}

export function resultTable(result: DemoResult): string {
  const { placed, filled, rejected, open, seconds, endedPerSecond, placeMs, endedMs, repeated } = result;
  const counts = table(
    [
      ['placed', grouped(placed)],
      ['filled', grouped(filled)],
      ['rejected', grouped(sum(rejected))],
      ...Object.entries(rejected).map(([code, count]) => [`  ${code}`, grouped(count)]),
      ['open', grouped(open)],
    ],
    [1],
  );
  const times = table([
    ['throughput', `${grouped(endedPerSecond)} trades a second (${seconds.toFixed(1)} s)`],
    ['place', `p50 ${placeMs.p50} ms, p99 ${placeMs.p99} ms`],
    [
      'place to end',
      `p50 ${endedMs.p50} ms, p99 ${endedMs.p99} ms, of ${grouped(endedMs.count)} trades; includes waiting behind the customer’s earlier ones`,
    ],
    ['calls repeated', grouped(repeated)],
  ]);
  return `${counts}\n\n${times}\n\n${verdict(problems(result))}`;
}

function verdict(found: string[]): string {
  if (found.length === 0) {
    return 'The books are exact: cash, shares, holds, every fill once, and each customer’s trades in order at the exchange.';
  }
  const shown = found.slice(0, MOST_SHOWN).map((problem) => `  - ${problem}`);
  const more = found.length > MOST_SHOWN ? `\n  and ${grouped(found.length - MOST_SHOWN)} more` : '';
  return `NOT AS IT SHOULD BE:\n${shown.join('\n')}${more}`;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

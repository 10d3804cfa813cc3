import type { Quote } from '@stockbroker/rpc/exchange';
import { expect, test } from 'vitest';
import { DEFAULT_QUOTE_RULES, QuoteScreen } from '../src/screenQuote.ts';

const NOON_MS = Date.parse('2026-11-27T17:00:00Z');

/** A ticker of which these quotes come, each so many seconds after noon. @returns what is wrong with each */
function screen(...quotes: [seconds: number, bid: string, ask: string, change?: Partial<Quote>][]) {
  const ticker = new QuoteScreen(DEFAULT_QUOTE_RULES);
  return quotes.map(([seconds, bid, ask, change]) => {
    const nowMs = NOON_MS + seconds * 1_000;
    return ticker.screen({ ticker: 'AAPL', bid, ask, halted: false, quotedAt: new Date(nowMs), ...change }, nowMs).fault;
  });
}

const FINE = undefined;

test.each<[string, (string | undefined)[], Parameters<typeof screen>]>([
  ['locked', [FINE], [[0, '10', '10']]],
  ['crossed', ['crossed'], [[0, '10.0001', '10']]],
  ['a little ahead', [FINE], [[0, '10', '10', { quotedAt: new Date(NOON_MS + 5_000) }]]],
  ['far ahead', ['future'], [[0, '10', '10', { quotedAt: new Date(NOON_MS + 5_001) }]]],
  ['without a time', ['untimed'], [[0, '10', '10', { quotedAt: undefined }]]],
  ['without prices and a time', [FINE], [[0, '', '', { quotedAt: undefined, halted: true }]]],
  [
    'half as dear again',
    [FINE, FINE],
    [
      [0, '10', '10'],
      [1, '15', '15'],
    ],
  ],
  [
    'more than that',
    [FINE, 'moved', FINE],
    [
      [0, '10', '10'],
      [1, '15.0001', '15.0001'],
      [2, '10', '10'],
    ],
  ],
  [
    'half the price',
    [FINE, FINE, 'moved'],
    [
      [0, '10', '10'],
      [1, '5', '5'],
      [2, '2.4999', '2.4999'],
    ],
  ],
  [
    'with one absurd side',
    [FINE, 'moved'],
    [
      [0, '10', '10'],
      [1, '10', '100'],
    ],
  ],
  [
    'one-sided after two-sided',
    [FINE, FINE, 'moved'],
    [
      [0, '10', '10'],
      [1, '', '11'],
      [2, '185', ''],
    ],
  ],
  ['the first of all', [FINE], [[0, '100000', '100000']]],
  [
    'after an hour without one',
    [FINE, FINE],
    [
      [0, '10', '10'],
      [3_600, '100', '100'],
    ],
  ],
  [
    'a crossed one is no reference',
    [FINE, 'crossed', FINE],
    [
      [0, '10', '10'],
      [1, '100', '90'],
      [2, '10', '10'],
    ],
  ],
])('a quote: %s', (_what, faults, quotes) => {
  expect(screen(...quotes)).toEqual(faults);
});

test('a far move that the exchange stands by for a minute is believed, and is where the next are measured from', () => {
  const stands = (from: number, to: number) =>
    Array.from({ length: (to - from) / 5 + 1 }, (_, i): [number, string, string] => [from + i * 5, '100', '100.5']);
  const faults = screen([0, '10', '10'], ...stands(5, 65), [66, '110', '110'], [67, '10', '10']);
  expect(faults.slice(1, 13)).toEqual(Array(12).fill('moved'));
  expect(faults.slice(13)).toEqual([FINE, FINE, 'moved']);
});

test('a market is not too wide to be believed: one that stands is no move, nor is one that becomes narrow', () => {
  const restated = Array.from({ length: 20 }, (_, i): [number, string, string] => [i * 5, '10', '100']);
  expect(screen(...restated, [100, '54', '56'])).toEqual(Array(21).fill(FINE));
});

test('a market that becomes wide is believed once the exchange has stood by it', () => {
  const wide = Array.from({ length: 20 }, (_, i): [number, string, string] => [5 + i * 5, '10', '100']);
  expect(screen([0, '10', '10.1'], ...wide)).toEqual([FINE, ...Array(12).fill('moved'), ...Array(8).fill(FINE)]);
});

test('a move is not confirmed by what moves on, by what comes back in between, or by few quotes', () => {
  expect(screen([0, '10', '10'], [1, '100', '100'], [40, '300', '300'], [80, '100', '100'])).toEqual([
    FINE,
    'moved',
    'moved',
    'moved',
  ]);
  expect(screen([0, '10', '10'], [1, '100', '100'], [30, '10', '10'], [62, '100', '100'], [63, '100', '100'])).toEqual([
    FINE,
    'moved',
    FINE,
    'moved',
    'moved',
  ]);
  expect(screen([0, '10', '10'], [1, '100', '100'], [70, '100', '100'])).toEqual([FINE, 'moved', 'moved']);
});

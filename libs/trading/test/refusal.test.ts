import { expect, test } from 'vitest';
import { describeRefusal } from '../src/refusal.ts';

test.each([
  [undefined, 'The market is closed'],
  [Number.POSITIVE_INFINITY, 'The market is closed'],
  [Date.parse('2026-11-30T14:30:00Z'), 'The market is closed; it opens on Monday, November 30 at 9:30 AM EST'],
  [Date.parse('2026-03-09T13:30:00Z'), 'The market is closed; it opens on Monday, March 9 at 9:30 AM EDT'],
])('MARKET_CLOSED says when the market opens, in its own time: %s', (opensAtMs, words) => {
  expect(describeRefusal({ code: 'MARKET_CLOSED', ...(opensAtMs === undefined ? {} : { opensAtMs }) })).toBe(words);
});

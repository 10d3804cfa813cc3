import { expect, test } from 'vitest';
import { BREAKAGES } from '../../tools/chaos/breakages.ts';

test.each([
  'acknowledged',
  'one trade per request',
  'ended',
  'fills',
  'order',
  'one at a time',
  'cash',
  'shares',
  'holds',
  'negative',
  'answers',
  'account reads',
  'canceled',
  'quarantine',
  'revisions',
  'errors',
  'unavailable',
  'waited',
  'isolated',
  'connections',
  'healed',
])('there is a breakage for the check: %s', (check) => {
  expect(BREAKAGES.map(({ seenBy }) => seenBy)).toContain(check);
});

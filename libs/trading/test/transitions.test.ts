import { expect, test } from 'vitest';
import { IllegalTransitionError, isFinal, nextStatus, TRADE_EVENTS, TRADE_STATUSES } from '../src/index.ts';

const LEGAL = new Map([
  ['placed execute', 'executed'],
  ['placed refuse', 'rejected'],
  ['placed cancel', 'rejected'],
  ['executed fill', 'filled'],
  ['executed reject', 'rejected'],
  ['executed requeue', 'placed'],
]);
const all = TRADE_STATUSES.flatMap((status) => TRADE_EVENTS.map((event) => [status, event] as const));

test.each(all)('transitions: %s, %s', (status, event) => {
  const expected = LEGAL.get(`${status} ${event}`);
  if (expected === undefined) expect(() => nextStatus(status, event)).toThrow(IllegalTransitionError);
  else expect(nextStatus(status, event)).toBe(expected);
});

test('transitions: filled and rejected are final, and nothing else is', () => {
  expect(TRADE_STATUSES.filter(isFinal)).toEqual(['filled', 'rejected']);
});
